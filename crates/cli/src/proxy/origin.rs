//! Which pages may come through where the server cannot judge that: it is told
//! another origin, or knows of none. Without it any page in a browser could
//! reach what only this machine should.

use crate::wire::Head;

/// Whether a page of this request's origin may come through: one from the
/// proxy itself, an allowed one, and whoever is no page.
pub(super) fn is_allowed(request: &Head, allowed: &[String]) -> bool {
    let Some(origin) = request.get("Origin") else {
        return true;
    };
    let host = request.get("Host").unwrap_or_default();
    let own = origin
        .strip_prefix("http://")
        .or_else(|| origin.strip_prefix("https://"));
    own.is_some_and(|own| own.eq_ignore_ascii_case(host))
        || allowed
            .iter()
            .any(|allowed| allowed == "*" || allowed.eq_ignore_ascii_case(origin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_others_stay_out_unless_they_are_allowed() {
        let from = |origin: &str| Head {
            first_line: "GET / HTTP/1.1".to_owned(),
            fields: vec![
                ("Host".to_owned(), "127.0.0.1:9000".to_owned()),
                ("Origin".to_owned(), origin.to_owned()),
            ],
        };
        assert!(is_allowed(&from("http://127.0.0.1:9000"), &[]));
        for foreign in ["https://evil.example", "null", "http://127.0.0.1:9001", ""] {
            assert!(!is_allowed(&from(foreign), &[]), "{foreign}");
            assert!(is_allowed(&from(foreign), &["*".to_owned()]));
        }
        let allowed = ["https://good.example".to_owned()];
        assert!(is_allowed(&from("https://good.example"), &allowed));
        let mut program = from("x");
        program.fields.pop();
        assert!(is_allowed(&program, &[]));
    }
}
