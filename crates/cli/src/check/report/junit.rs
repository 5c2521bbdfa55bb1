//! The report as JUnit XML, which CI systems show.

use std::fmt::{self, Write as _};

use super::{Report, Tried, date};
use crate::check::log::By;
use crate::check::outcome::Verdict;

impl Report {
    /// A suite for each group of cases. Lenient cases are failures with `strict`.
    pub(crate) fn to_junit(&self, strict: bool) -> String {
        let mut xml = String::new();
        // A String takes all that is written to it.
        let _ = self.write_suites(&mut xml, strict);
        xml
    }

    fn write_suites(&self, xml: &mut String, strict: bool) -> fmt::Result {
        let all: Vec<&Tried> = self.cases.iter().collect();
        writeln!(
            xml,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <testsuites name=\"longwire check {} {}\" {} time=\"{:.3}\">",
            self.role,
            Attribute(&self.tested),
            counts(&all, strict),
            self.seconds,
        )?;
        let date = date(self.began).replace(' ', "T").replace("TUTC", "Z");
        for (group, cases) in self.groups() {
            let seconds: f64 = cases.iter().map(|tried| tried.ms / 1e3).sum();
            writeln!(
                xml,
                "<testsuite name=\"{}\" {} time=\"{seconds:.3}\" timestamp=\"{date}\">",
                Attribute(group),
                counts(&cases, strict),
            )?;
            for tried in cases {
                write_case(xml, tried, self.role, strict)?;
            }
            xml.push_str("</testsuite>\n");
        }
        xml.push_str("</testsuites>\n");
        Ok(())
    }
}

fn is_failure(tried: &Tried, strict: bool) -> bool {
    match tried.verdict {
        Verdict::Failed => true,
        Verdict::Lenient => strict,
        Verdict::Strict | Verdict::Info | Verdict::Skipped => false,
    }
}

fn counts(cases: &[&Tried], strict: bool) -> String {
    let failures = cases.iter().filter(|tried| is_failure(tried, strict));
    let skipped = cases
        .iter()
        .filter(|tried| tried.verdict == Verdict::Skipped);
    format!(
        "tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\"",
        cases.len(),
        failures.count(),
        skipped.count()
    )
}

fn write_case(xml: &mut String, tried: &Tried, role: &str, strict: bool) -> fmt::Result {
    writeln!(
        xml,
        "<testcase classname=\"longwire.check.{role}.{}\" name=\"{}\" time=\"{:.3}\">",
        Attribute(tried.group()),
        Attribute(&tried.id),
        tried.ms / 1e3,
    )?;
    let observed = tried.observed.as_deref().unwrap_or_default();
    if is_failure(tried, strict) {
        writeln!(
            xml,
            "<failure message=\"{}\" type=\"{}\">{}</failure>",
            Attribute(observed),
            tried.verdict,
            Text(&summary(tried)),
        )?;
    } else if tried.verdict == Verdict::Skipped {
        writeln!(xml, "<skipped message=\"{}\"/>", Attribute(observed))?;
    }
    writeln!(
        xml,
        "<system-out>{}</system-out>\n</testcase>",
        Text(&log(tried))
    )
}

/// What the case is, in lines.
fn summary(tried: &Tried) -> String {
    let mut text = format!(
        "verdict:  {}\nsection:  {} ({})\nsent:     {}\nexpected: {}\n",
        tried.verdict, tried.section, tried.level, tried.sent, tried.expected
    );
    if let Some(observed) = &tried.observed {
        text += &["observed: ", observed, "\n"].concat();
    }
    text
}

/// What the case is, and what went over the wire.
fn log(tried: &Tried) -> String {
    let mut text = summary(tried);
    for entry in &tried.wire {
        let by = match entry.by {
            By::Tester => "tester",
            By::Peer => "peer  ",
        };
        let ms = entry.ms;
        // A String takes all that is written to it.
        let _ = writeln!(text, "{ms:8.1} ms {by} {}", entry.what.trim_end());
        if !entry.hex.is_empty() {
            let _ = writeln!(text, "                   {}", entry.hex);
        }
    }
    if tried.wire_left_out > 0 {
        let _ = writeln!(text, "... and {} more", tried.wire_left_out);
    }
    text
}

/// Text of anyone's in an element. XML has no way to write most control
/// characters: they are shown as their numbers.
struct Text<'t>(&'t str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for char in self.0.chars() {
            match char {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '\n' | '\t' => f.write_char(char)?,
                '\r' => {}
                char if char.is_control() || matches!(char, '\u{FFFE}' | '\u{FFFF}') => {
                    write!(f, "{}", char.escape_unicode())?;
                }
                char => f.write_char(char)?,
            }
        }
        Ok(())
    }
}

/// The same in an attribute, where a new line as it is would be a space.
struct Attribute<'t>(&'t str);

impl fmt::Display for Attribute<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = Text(self.0).to_string().replace('"', "&quot;");
        f.write_str(&text.replace('\n', "&#10;").replace('\t', "&#9;"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_cannot_write_is_shown_as_its_number() {
        let shown = Text("<a b=\"c\"> & \0\u{1b}\u{ffff}\u{85}\n").to_string();
        assert_eq!(
            shown,
            "&lt;a b=\"c\"&gt; &amp; \\u{0}\\u{1b}\\u{ffff}\\u{85}\n"
        );
        let shown = Attribute("a=\"b\"\n\t<").to_string();
        assert_eq!(shown, "a=&quot;b&quot;&#10;&#9;&lt;");
    }
}
