//! All cases, in groups by what they are about.

pub(crate) mod framing;

pub(crate) mod length;

pub(crate) mod control;

pub(crate) mod fragment;

pub(crate) mod utf8;

pub(crate) mod close;

pub(crate) mod limits;

pub(crate) mod opening;

pub(crate) mod deflate;

pub(crate) mod agreement;

pub(crate) mod smuggling;

pub(crate) mod hostile;

pub(crate) mod slow;

pub(crate) mod answering;

pub(crate) mod answering_deflate;

pub(crate) mod request;

use super::case::Case;

/// Every case, in the order in which they are tried and told.
pub(crate) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    cases.extend(opening::cases());
    cases.extend(smuggling::cases());

    cases.extend(request::cases());
    cases.extend(answering::cases());
    cases.extend(framing::cases());
    cases.extend(length::cases());
    cases.extend(control::cases());
    cases.extend(fragment::cases());
    cases.extend(utf8::cases());
    cases.extend(close::cases());
    cases.extend(agreement::cases());
    cases.extend(answering_deflate::cases());
    cases.extend(deflate::cases());
    cases.extend(slow::cases());
    cases.extend(limits::cases());
    cases.extend(hostile::cases());
    cases
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_case_has_an_id_of_its_own_and_says_what_it_does() {
        let mut ids = HashSet::new();
        for case in all() {
            assert!(ids.insert(case.id.clone()), "{} is there twice", case.id);
            assert!(case.id.contains('.'), "{} has no group", case.id);
            assert!(
                !case.sent.is_empty(),
                "{} does not say what is sent",
                case.id
            );
            assert!(
                !case.expected.is_empty(),
                "{} does not say what is expected",
                case.id
            );
            assert!(
                case.section.starts_with("RFC "),
                "{} has no section",
                case.id
            );
        }
    }
}
