//! An animated SVG of what a screen showed: frames one below the other, moved past
//! a window in steps. Rows that come again are drawn once.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::Duration;

use vt100::{Cell, Color, Screen};

use crate::terminal::{Frame, SIZE};

/// A character's width and a row's height in pixels.
const CELL: (f64, f64) = (8.0, 18.0);

/// Around the screen.
const MARGIN: f64 = 14.0;

/// How long the last picture stays.
const LAST: Duration = Duration::from_secs(5);

/// The sixteen colours of the terminal.
const PALETTE: [&str; 16] = [
    "#1d2430", "#f07178", "#a5d66f", "#ffcb6b", "#82aaff", "#c792ea", "#70d7e8", "#d6deeb",
    "#637083", "#ff8b92", "#c3e88d", "#ffe585", "#9cc4ff", "#e1acff", "#a3f7ff", "#ffffff",
];

const BACKGROUND: &str = "#0f1420";
const FOREGROUND: &str = "#d6deeb";

/// Makes the picture.
pub(crate) fn draw(frames: &[Frame]) -> String {
    let (rows, cols) = SIZE;
    let width = f64::from(cols) * CELL.0 + 2.0 * MARGIN;
    let height = f64::from(rows) * CELL.1 + 2.0 * MARGIN;
    let total = frames.last().map_or(LAST, |last| last.at + LAST);
    let mut lines = Lines::default();
    let mut pictures = String::new();
    let mut steps = String::new();
    for (number, frame) in frames.iter().enumerate() {
        let percent = frame.at.as_secs_f64() / total.as_secs_f64() * 100.0;
        let top = number as f64 * height;
        let _ = write!(steps, "{percent:.3}%{{transform:translateY(-{top}px)}}");
        let _ = write!(pictures, "<g transform=\"translate(0 {top})\">");
        for row in 0..rows {
            if let Some(id) = lines.id(&frame.screen, row) {
                let y = MARGIN + f64::from(row) * CELL.1;
                let _ = write!(pictures, "<use href=\"#r{id}\" y=\"{y}\"/>");
            }
        }
        pictures.push_str(&cursor(&frame.screen));
        pictures.push_str("</g>\n");
    }
    let last = frames.len().saturating_sub(1) as f64 * height;
    let seconds = total.as_secs_f64();
    let defs = lines.defs;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         role=\"img\" aria-label=\"A terminal session of longwire\">\n<style>\
         text{{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,\"DejaVu Sans Mono\",monospace;\
         white-space:pre;fill:{FOREGROUND}}}\
         .s{{animation:s {seconds:.2}s step-end infinite}}\
         @keyframes s{{{steps}}}\
         @media(prefers-reduced-motion){{.s{{animation:none;transform:translateY(-{last}px)}}}}\
         </style>\n<defs>\n{defs}</defs>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{BACKGROUND}\"/>\n\
         <svg width=\"{width}\" height=\"{height}\"><g class=\"s\">\n{pictures}</g></svg>\n</svg>\n"
    )
}

/// Rows that have been drawn.
#[derive(Default)]
struct Lines {
    ids: HashMap<String, usize>,
    defs: String,
}

impl Lines {
    /// The number of a row's drawing; none for an empty row.
    fn id(&mut self, screen: &Screen, row: u16) -> Option<usize> {
        let drawn = draw_row(screen, row)?;
        if let Some(id) = self.ids.get(&drawn) {
            return Some(*id);
        }
        let id = self.ids.len();
        let _ = writeln!(self.defs, "<g id=\"r{id}\">{drawn}</g>");
        self.ids.insert(drawn, id);
        Some(id)
    }
}

/// What a stretch of text looks like.
#[derive(Clone, PartialEq)]
struct Look {
    colour: String,
    background: Option<String>,
    bold: bool,
    dim: bool,
    underline: bool,
}

impl Look {
    fn of(cell: &Cell) -> Self {
        let (mut front, mut back) = (cell.fgcolor(), cell.bgcolor());
        if cell.inverse() {
            std::mem::swap(&mut front, &mut back);
        }
        let default = if cell.inverse() {
            BACKGROUND
        } else {
            FOREGROUND
        };
        Self {
            colour: colour(front).unwrap_or_else(|| default.to_owned()),
            background: colour(back).or_else(|| cell.inverse().then(|| FOREGROUND.to_owned())),
            bold: cell.bold(),
            dim: cell.dim(),
            underline: cell.underline(),
        }
    }
}

fn colour(color: Color) -> Option<String> {
    match color {
        Color::Default => None,
        Color::Idx(index @ 0..=15) => Some(PALETTE[usize::from(index)].to_owned()),
        Color::Idx(index @ 16..=231) => {
            let index = index - 16;
            let part = |value: u8| if value == 0 { 0 } else { 55 + value * 40 };
            let (r, g, b) = (index / 36, index / 6 % 6, index % 6);
            Some(format!("#{:02x}{:02x}{:02x}", part(r), part(g), part(b)))
        }
        Color::Idx(index) => {
            let grey = 8 + (index - 232) * 10;
            Some(format!("#{grey:02x}{grey:02x}{grey:02x}"))
        }
        Color::Rgb(r, g, b) => Some(format!("#{r:02x}{g:02x}{b:02x}")),
    }
}

fn draw_row(screen: &Screen, row: u16) -> Option<String> {
    let mut stretches: Vec<(u16, String, Look)> = Vec::new();
    for col in 0..SIZE.1 {
        let Some(cell) = screen.cell(row, col) else {
            break;
        };
        if cell.is_wide_continuation() {
            continue;
        }
        let text = if cell.has_contents() {
            cell.contents()
        } else {
            " "
        };
        let look = Look::of(cell);
        match stretches.last_mut() {
            Some((_, run, last)) if *last == look => run.push_str(text),
            _ => stretches.push((col, text.to_owned(), look)),
        }
    }
    let mut drawn = String::new();
    for (col, text, look) in stretches {
        let shown = text.trim_end();
        let x = MARGIN + f64::from(col) * CELL.0;
        let width = text.chars().count() as f64 * CELL.0;
        if let Some(background) = &look.background {
            let height = CELL.1;
            let _ = write!(
                drawn,
                "<rect x=\"{x}\" width=\"{width}\" height=\"{height}\" fill=\"{background}\"/>"
            );
        }
        if shown.is_empty() {
            continue;
        }
        let width = shown.chars().count() as f64 * CELL.0;
        let mut style = String::new();
        if look.colour != FOREGROUND {
            // A style, as an attribute weighs less than the sheet.
            let _ = write!(style, " style=\"fill:{}\"", look.colour);
        }
        if look.bold {
            style.push_str(" font-weight=\"bold\"");
        }
        if look.dim {
            style.push_str(" opacity=\".6\"");
        }
        if look.underline {
            style.push_str(" text-decoration=\"underline\"");
        }
        let shown = shown.replace('&', "&amp;").replace('<', "&lt;");
        let _ = write!(
            drawn,
            "<text x=\"{x}\" y=\"14\" textLength=\"{width}\"{style} xml:space=\"preserve\">{shown}</text>"
        );
    }
    (!drawn.is_empty()).then_some(drawn)
}

fn cursor(screen: &Screen) -> String {
    if screen.hide_cursor() {
        return String::new();
    }
    let (row, col) = screen.cursor_position();
    let (x, y) = (
        MARGIN + f64::from(col) * CELL.0,
        MARGIN + f64::from(row) * CELL.1,
    );
    let (width, height) = CELL;
    format!(
        "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"{FOREGROUND}\" opacity=\".5\"/>"
    )
}
