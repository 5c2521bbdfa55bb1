//! The report as one HTML page that needs nothing from elsewhere.

use std::fmt::{self, Write as _};

use super::{Report, Tried, date};
use crate::check::log::{By, Entry};
use crate::check::outcome::Verdict;

const STYLE: &str = include_str!("page.css");

const SCRIPT: &str = include_str!("page.js");

impl Report {
    /// The page.
    pub(crate) fn to_html(&self) -> String {
        let mut page = String::new();
        // A String takes all that is written to it.
        let _ = self.write_page(&mut page);
        page
    }

    fn write_page(&self, page: &mut String) -> fmt::Result {
        let (role, tested) = (self.role, Text(&self.tested));
        write!(
            page,
            "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
             style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n\
             <title>longwire check {role}: {tested}</title>\n<style>\n{STYLE}</style>\n\
             <header>\n<h1>Does the {role} <code>{tested}</code> keep the RFCs?</h1>\n"
        )?;
        let (total, seconds) = (self.cases.len(), self.seconds);
        writeln!(
            page,
            "<p>{total} cases in {seconds:.1} s, {} by {}</p>\n</header>",
            date(self.began),
            Text(&self.tester),
        )?;
        self.write_failed(page)?;
        self.write_filters(page)?;
        for (group, cases) in self.groups() {
            write!(
                page,
                "<section>\n<h2>{} <small>{} cases</small></h2>\n",
                Text(group),
                cases.len()
            )?;
            for tried in cases {
                write_case(page, tried)?;
            }
            page.push_str("</section>\n");
        }
        writeln!(
            page,
            "<p id=\"none\" hidden>No case fits.</p>\n<script>\n{SCRIPT}</script>\n</html>"
        )
    }

    /// The way to what failed, where anything did.
    fn write_failed(&self, page: &mut String) -> fmt::Result {
        let failed: Vec<String> = self
            .cases
            .iter()
            .filter(|tried| tried.verdict == Verdict::Failed)
            .map(|tried| format!("<a href=\"#{0}\">{0}</a>", Text(&tried.id)))
            .collect();
        if failed.is_empty() {
            return Ok(());
        }
        let list = failed.join(", ");
        writeln!(
            page,
            "<p class=\"failed\"><span class=\"verdict\">Failed:</span> {list}</p>"
        )
    }

    /// How many cases had each verdict, to choose by; shown by the script.
    fn write_filters(&self, page: &mut String) -> fmt::Result {
        page.push_str("<nav hidden>\n");
        let counts = self.counts();
        for verdict in Verdict::ALL {
            if let Some(count) = counts.get(&verdict) {
                writeln!(
                    page,
                    "<button type=\"button\" class=\"{verdict}\" data-verdict=\"{verdict}\" \
                     aria-pressed=\"false\"><b>{count}</b> {verdict}</button>"
                )?;
            }
        }
        page.push_str(
            "<input type=\"search\" placeholder=\"Find in ids, texts and frames\" \
             aria-label=\"Find cases\">\n</nav>\n\
             <noscript><style>nav { display: none !important }</style></noscript>\n",
        );
        Ok(())
    }
}

fn write_case(page: &mut String, tried: &Tried) -> fmt::Result {
    let verdict = tried.verdict;
    let open = if verdict == Verdict::Failed {
        " open"
    } else {
        ""
    };
    writeln!(
        page,
        "<details class=\"case {verdict}\" data-verdict=\"{verdict}\" id=\"{id}\"{open}>\n\
         <summary><span class=\"verdict\">{verdict}</span> <span class=\"id\">{id}</span> \
         <span class=\"section\">{section} · {ms:.0} ms</span></summary>\n<div class=\"body\">\n<dl>",
        id = Text(&tried.id),
        section = tried.section,
        ms = tried.ms,
    )?;
    row(page, "Sent", &tried.sent)?;
    row(page, "Expected", &tried.expected)?;
    if let Some(observed) = &tried.observed {
        row(page, "Observed", observed)?;
    }
    write!(page, "<dt>Asked for in</dt><dd>")?;
    match link(tried.section) {
        Some(url) => write!(page, "<a href=\"{url}\">{}</a>", tried.section)?,
        None => page.push_str(tried.section),
    }
    writeln!(page, " ({})</dd>\n</dl>", tried.level)?;
    if !tried.wire.is_empty() {
        write_log(page, tried)?;
    }
    page.push_str("</div>\n</details>\n");
    Ok(())
}

fn row(page: &mut String, name: &str, text: &str) -> fmt::Result {
    writeln!(page, "<dt>{name}</dt><dd>{}</dd>", Text(text))
}

fn write_log(page: &mut String, tried: &Tried) -> fmt::Result {
    let open = if tried.verdict == Verdict::Failed {
        " open"
    } else {
        ""
    };
    write!(
        page,
        "<details class=\"wire\"{open}><summary>What went over the wire</summary>\n\
         <div class=\"log\"><table>\n"
    )?;
    for entry in &tried.wire {
        write_entry(page, entry)?;
    }
    page.push_str("</table></div>\n");
    if tried.wire_left_out > 0 {
        writeln!(page, "<p>and {} more</p>", tried.wire_left_out)?;
    }
    page.push_str("</details>\n");
    Ok(())
}

fn write_entry(page: &mut String, entry: &Entry) -> fmt::Result {
    let by = match entry.by {
        By::Tester => "tester",
        By::Peer => "peer",
    };
    let what = Text(entry.what.trim_end());
    write!(
        page,
        "<tr><td>{:.1} ms<td class=\"{by}\">{by}<td>{what}",
        entry.ms
    )?;
    if !entry.hex.is_empty() {
        write!(page, "<div>{}</div>", Text(&entry.hex))?;
    }
    page.push('\n');
    Ok(())
}

/// Where the RFC editor has `RFC 6455 5.2`.
fn link(section: &str) -> Option<String> {
    let (number, section) = section.strip_prefix("RFC ")?.split_once(' ')?;
    let url = format!("https://www.rfc-editor.org/rfc/rfc{number}.html#section-{section}");
    let is_plain = |char: char| char.is_ascii_alphanumeric() || ":/.#-".contains(char);
    url.chars().all(is_plain).then_some(url)
}

/// Text of anyone's, as HTML has it; what cannot be seen is shown as its number.
struct Text<'t>(&'t str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for char in self.0.chars() {
            match char {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                '\n' | '\t' => f.write_char(char)?,
                '\r' => {}
                char if is_unseen(char) => write!(f, "{}", char.escape_unicode())?,
                char => f.write_char(char)?,
            }
        }
        Ok(())
    }
}

/// Control characters, and those that turn the direction of the text around them.
fn is_unseen(char: char) -> bool {
    char.is_control() || matches!(char, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_peer_says_is_text_and_nothing_else() {
        let shown = Text("<script>alert('x')</script> & \"q\" \u{1b}[2J\u{202e}").to_string();
        assert_eq!(
            shown,
            "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;q&quot; \
             \\u{1b}[2J\\u{202e}"
        );
    }

    #[test]
    fn a_section_is_linked_to_the_rfc_editor() {
        assert_eq!(
            link("RFC 7692 7.1.2.1").as_deref(),
            Some("https://www.rfc-editor.org/rfc/rfc7692.html#section-7.1.2.1")
        );
        assert_eq!(link("RFC 1 \"onclick="), None);
        assert_eq!(link("elsewhere"), None);
    }
}
