//! Bars in SVG, a panel for each measure.

use std::fmt::Write as _;

use crate::turns::Standing;

/// Pixels: of a panel, of a bar with its gap, of what stands left of the bars.
const WIDTH: f64 = 460.0;
const ROW: f64 = 20.0;
const LABELS: f64 = 170.0;

/// Room for the figure behind the longest bar.
const FIGURES: f64 = 70.0;

/// Panels beside each other.
const COLUMNS: usize = 2;

/// One panel: a title, and what the bars are of.
pub struct Panel {
    /// Above the bars.
    pub title: String,
    /// A server and its value, with the least and the most of it.
    pub bars: Vec<(String, f64, f64, f64)>,
}

impl Panel {
    /// Of ratios to the floor, where there is one, or of the values themselves.
    pub fn new(title: String, unit: &str, standings: &[Standing]) -> Self {
        let ratios = standings.iter().any(|one| one.ratio.is_some());
        let bars = standings
            .iter()
            .filter_map(|one| {
                let spread = if ratios { one.ratio? } else { one.value };
                Some((one.name.to_owned(), spread.median, spread.min, spread.max))
            })
            .collect();
        let of = if ratios { "to the floor" } else { unit };
        Self {
            title: format!("{title}: {of}"),
            bars,
        }
    }

    fn height(&self) -> f64 {
        (self.bars.len() as f64 + 2.5) * ROW
    }

    fn draw(&self, svg: &mut String, x: f64, y: f64) {
        let _ = writeln!(svg, "<g transform=\"translate({x} {y})\">");
        let _ = writeln!(
            svg,
            "<text x=\"0\" y=\"14\" class=\"title\">{}</text>",
            escaped(&self.title)
        );
        let most = self.bars.iter().map(|bar| bar.1).fold(0.0, f64::max);
        let scale = (WIDTH - LABELS - FIGURES) / most.max(f64::MIN_POSITIVE);
        for (i, (name, value, least, greatest)) in self.bars.iter().enumerate() {
            let top = (i as f64 + 1.3) * ROW;
            let middle = top + ROW / 2.0 - 2.0;
            let class = if name.starts_with("Longwire") {
                "ours"
            } else {
                "theirs"
            };
            let (from, to) = (LABELS + least * scale, LABELS + greatest.min(most) * scale);
            let end = LABELS + value * scale;
            let digits = if *value < 100.0 { 2 } else { 0 };
            let _ = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\
                 <rect x=\"{LABELS}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\" class=\"{class}\"/>\
                 <path d=\"M{from:.1} {middle:.1}H{to:.1}\" class=\"spread\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\">{value:.digits$}</text>",
                LABELS - 6.0,
                middle + 4.0,
                escaped(name),
                value * scale,
                ROW - 4.0,
                end.max(to) + 6.0,
                middle + 4.0,
            );
        }
        svg.push_str("</g>\n");
    }
}

/// All panels in one picture.
pub fn draw(panels: &[Panel]) -> String {
    let mut body = String::new();
    let mut y = 10.0;
    for row in panels.chunks(COLUMNS) {
        for (i, panel) in row.iter().enumerate() {
            panel.draw(&mut body, 10.0 + i as f64 * (WIDTH + 20.0), y);
        }
        y += row.iter().map(Panel::height).fold(0.0, f64::max);
    }
    let width = COLUMNS as f64 * (WIDTH + 20.0) + 10.0;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {y}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<style>\
         rect.page {{ fill: #fff }} .title {{ font-weight: bold }} \
         .ours {{ fill: #2f6fdb }} .theirs {{ fill: #b8c0cc }} \
         .spread {{ stroke: #222; stroke-width: 1.5 }}</style>\n\
         <rect width=\"{width}\" height=\"{y}\" class=\"page\"/>\n{body}</svg>\n"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
