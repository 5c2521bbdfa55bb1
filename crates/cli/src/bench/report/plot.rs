//! Plots as SVG, with classes that the page's style gives colours to.

use std::fmt::Write as _;

use super::scale::Scale;

const WIDTH: f64 = 800.0;
const HEIGHT: f64 = 280.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 56.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 40.0;

/// Labels at the ends of lines are no closer than this.
const LABEL: f64 = 13.0;

/// How a value is written.
pub(in crate::bench) type Shown = fn(f64) -> String;

/// An axis: what it measures, and how.
pub(in crate::bench) struct Axis<'a> {
    pub(in crate::bench) title: &'a str,
    pub(in crate::bench) scale: Scale,
    pub(in crate::bench) shown: Shown,
}

/// A line, whose name stands at its end.
pub(in crate::bench) struct Line<'a> {
    pub(in crate::bench) name: &'a str,
    /// The class that has its colour.
    pub(in crate::bench) class: &'a str,
    pub(in crate::bench) points: Vec<(f64, f64)>,
}

/// A bar from one value to another.
pub(in crate::bench) struct Bar {
    pub(in crate::bench) from: f64,
    pub(in crate::bench) to: f64,
    pub(in crate::bench) height: f64,
    pub(in crate::bench) told: String,
}

/// What a pointer is told in a part of the plot.
pub(in crate::bench) struct Hover {
    pub(in crate::bench) from: f64,
    pub(in crate::bench) to: f64,
    pub(in crate::bench) told: String,
}

/// A plot that is being drawn.
pub(in crate::bench) struct Plot<'a> {
    x: Axis<'a>,
    y: Axis<'a>,
    svg: String,
    ends: Vec<(f64, f64, String, String)>,
}

impl<'a> Plot<'a> {
    /// The axes. `what` is for those who do not see it.
    pub(in crate::bench) fn new(what: &str, x: Axis<'a>, y: Axis<'a>) -> Self {
        let mut svg = String::new();
        let what = escape(what);
        // A string takes all that is written, here and below.
        let _ = writeln!(
            svg,
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{what}\">"
        );
        let mut plot = Self {
            x,
            y,
            svg,
            ends: Vec::new(),
        };
        plot.axes();
        plot
    }

    fn axes(&mut self) {
        let (left, right, bottom) = (LEFT, WIDTH - RIGHT, HEIGHT - BOTTOM);
        for tick in self.y.scale.ticks() {
            let (y, label) = (self.place_y(tick), escape(&(self.y.shown)(tick)));
            let (at, text) = (y + 4.0, left - 8.0);
            let _ = writeln!(
                self.svg,
                "<line class=\"grid\" x1=\"{left}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text class=\"tick end\" x=\"{text}\" y=\"{at:.1}\">{label}</text>"
            );
        }
        for tick in self.x.scale.ticks() {
            let (x, label) = (self.place_x(tick), escape(&(self.x.shown)(tick)));
            let (to, text) = (bottom + 4.0, bottom + 17.0);
            let _ = writeln!(
                self.svg,
                "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{bottom}\" y2=\"{to}\"/>\
                 <text class=\"tick middle\" x=\"{x:.1}\" y=\"{text}\">{label}</text>"
            );
        }
        let (x, y) = (left.midpoint(right), HEIGHT - 6.0);
        let title = escape(self.x.title);
        let _ = writeln!(
            self.svg,
            "<line class=\"axis\" x1=\"{left}\" x2=\"{right}\" y1=\"{bottom}\" y2=\"{bottom}\"/>\
             <text class=\"tick middle\" x=\"{x}\" y=\"{y}\">{title}</text>"
        );
    }

    fn place_x(&self, value: f64) -> f64 {
        LEFT + self.x.scale.at(value) * (WIDTH - LEFT - RIGHT)
    }

    fn place_y(&self, value: f64) -> f64 {
        let height = HEIGHT - TOP - BOTTOM;
        TOP + (1.0 - self.y.scale.at(value)) * height
    }

    pub(in crate::bench) fn line(&mut self, line: &Line<'_>) {
        let mut path = String::new();
        for (index, (x, y)) in line.points.iter().enumerate() {
            let step = if index == 0 { 'M' } else { 'L' };
            let (x, y) = (self.place_x(*x), self.place_y(*y));
            let _ = write!(path, "{step}{x:.1} {y:.1}");
        }
        let class = line.class;
        if let [(x, y)] = line.points[..] {
            let (x, y) = (self.place_x(x), self.place_y(y));
            let _ = writeln!(
                self.svg,
                "<circle class=\"dot {class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/>"
            );
        } else {
            let _ = writeln!(self.svg, "<path class=\"line {class}\" d=\"{path}\"/>");
        }
        if let Some((x, y)) = line.points.last() {
            let (x, y) = (self.place_x(*x) + 6.0, self.place_y(*y) + 4.0);
            self.ends.push((x, y, class.to_owned(), escape(line.name)));
        }
    }

    pub(in crate::bench) fn bars(&mut self, bars: &[Bar]) {
        let bottom = self.place_y(0.0);
        for bar in bars.iter().filter(|bar| bar.height > 0.0) {
            let (x, to) = (self.place_x(bar.from), self.place_x(bar.to));
            let (width, y) = (
                (to - x - 1.0).max(0.5),
                self.place_y(bar.height).min(bottom - 1.0),
            );
            let (height, told) = (bottom - y, escape(&bar.told));
            let _ = writeln!(
                self.svg,
                "<rect class=\"bar\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" \
                 height=\"{height:.1}\"><title>{told}</title></rect>"
            );
        }
    }

    /// A line across, such as at a percentile.
    pub(in crate::bench) fn mark(&mut self, x: f64, name: &str) {
        let (x, name) = (self.place_x(x), escape(name));
        let (bottom, text, top) = (HEIGHT - BOTTOM, x + 4.0, TOP + 8.0);
        let _ = writeln!(
            self.svg,
            "<line class=\"mark\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{bottom}\"/>\
             <text class=\"tick\" x=\"{text:.1}\" y=\"{top}\">{name}</text>"
        );
    }

    pub(in crate::bench) fn hovers(&mut self, hovers: impl Iterator<Item = Hover>) {
        for hover in hovers {
            let (x, to) = (self.place_x(hover.from), self.place_x(hover.to));
            let (width, told) = ((to - x).max(1.0), escape(&hover.told));
            let height = HEIGHT - TOP - BOTTOM;
            let _ = writeln!(
                self.svg,
                "<rect class=\"hover\" x=\"{x:.1}\" y=\"{TOP}\" width=\"{width:.1}\" \
                 height=\"{height}\"><title>{told}</title></rect>"
            );
        }
    }

    /// The plot, with the names at the ends of the lines.
    pub(in crate::bench) fn finish(mut self) -> String {
        self.ends.sort_by(|a, b| a.1.total_cmp(&b.1));
        let mut least = f64::MIN;
        for (x, y, class, name) in std::mem::take(&mut self.ends) {
            let y = y.max(least);
            least = y + LABEL;
            let _ = writeln!(
                self.svg,
                "<text class=\"name {class}\" x=\"{x:.1}\" y=\"{y:.1}\">{name}</text>"
            );
        }
        self.svg.push_str("</svg>\n");
        self.svg
    }
}

/// Text that is nothing but text in HTML, in attributes too.
pub(in crate::bench) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // Not allowed in HTML.
            char if char.is_control() && char != '\n' && char != '\t' => {
                escaped.push(char::REPLACEMENT_CHARACTER);
            }
            char => escaped.push(char),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_text_stays_text() {
        let evil = "<script>alert('a' & \"b\")</script>\u{0}";
        let escaped = escape(evil);
        assert!(
            !escaped.contains(['<', '>', '"', '\'', '\u{0}']),
            "{escaped}"
        );
        assert!(escaped.contains("&lt;script&gt;"));
    }

    #[test]
    fn labels_do_not_cover_each_other() {
        let axis = |title| Axis {
            title,
            scale: Scale::linear([10.0].into_iter()),
            shown: |value| value.to_string(),
        };
        let mut plot = Plot::new("a plot", axis("x"), axis("y"));
        for name in ["one", "two", "three"] {
            plot.line(&Line {
                name,
                class: "a",
                points: vec![(0.0, 5.0), (10.0, 5.0)],
            });
        }
        let svg = plot.finish();
        let mut places: Vec<f64> = svg
            .lines()
            .filter(|line| line.contains("class=\"name a\""))
            .filter_map(|line| line.split("y=\"").nth(1)?.split('"').next()?.parse().ok())
            .collect();
        places.dedup();
        assert_eq!(places.len(), 3);
        assert!(places.is_sorted_by(|a, b| b - a >= LABEL));
    }
}
