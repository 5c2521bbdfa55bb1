//! The answers of a recording against those of a server.

use std::time::{Duration, Instant};

use serde::Serialize;
use similar::{Algorithm, DiffOp, capture_diff_slices_deadline};

use super::json;
use super::path::FieldPath;
use super::script::Answer;

/// How long to look for the smallest difference; a larger one is told after that.
const SEARCH_WITHIN: Duration = Duration::from_secs(5);

/// Bytes of binary in a line.
const BYTES_A_LINE: usize = 16;

/// A difference between what was recorded and what came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(super) enum Difference {
    /// Another answer came.
    Changed {
        /// Which one of the recorded, from 1.
        answer: usize,
        recorded: String,
        received: String,
    },
    /// None came.
    Missing { answer: usize, recorded: String },
    /// One came that was not recorded, behind that many that were.
    Unexpected { after: usize, received: String },
}

/// What is different.
pub(super) fn compare(
    recorded: &[Answer],
    received: &[Answer],
    ignored: &[FieldPath],
) -> Vec<Difference> {
    let texts = |answers: &[Answer]| -> Vec<String> {
        answers.iter().map(|answer| text(answer, ignored)).collect()
    };
    let (recorded, received) = (texts(recorded), texts(received));
    let deadline = Instant::now() + SEARCH_WITHIN;
    let ops = capture_diff_slices_deadline(Algorithm::Myers, &recorded, &received, Some(deadline));
    ops.iter()
        .flat_map(|op| differences(op, &recorded, &received))
        .collect()
}

fn differences(op: &DiffOp, recorded: &[String], received: &[String]) -> Vec<Difference> {
    if matches!(op, DiffOp::Equal { .. }) {
        return Vec::new();
    }
    let (old, new) = (op.old_range(), op.new_range());
    let all = |texts: &[String], range: std::ops::Range<usize>| -> Vec<String> {
        texts.get(range).unwrap_or_default().to_vec()
    };
    let mut received = all(received, new).into_iter();
    let mut found = Vec::new();
    for (answer, recorded) in (old.start + 1..).zip(all(recorded, old.clone())) {
        found.push(match received.next() {
            Some(received) => Difference::Changed {
                answer,
                recorded,
                received,
            },
            None => Difference::Missing { answer, recorded },
        });
    }
    let after = old.end;
    found.extend(received.map(|received| Difference::Unexpected { after, received }));
    found
}

/// An answer as lines of text: what says the same reads the same.
fn text(answer: &Answer, ignored: &[FieldPath]) -> String {
    match answer {
        Answer::Text(text) => match json::parse(text) {
            Some(mut value) => {
                for path in ignored {
                    path.ignore(&mut value);
                }
                serde_json::to_string_pretty(&value).unwrap_or_else(|_| text.clone())
            }
            None => text.clone(),
        },
        Answer::Binary(bytes) => {
            let mut lines = format!("binary, {} bytes", bytes.len());
            for line in bytes.chunks(BYTES_A_LINE) {
                lines.push('\n');
                let pairs: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
                lines.push_str(&pairs.join(" "));
            }
            lines
        }
        Answer::Close(Some(code)) => format!("close {code}"),
        Answer::Close(None) => "close without a code".to_owned(),
        Answer::Refused(status) => format!("refused with status {status}"),
        Answer::Lost => "the connection was lost".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(answers: &[&str]) -> Vec<Answer> {
        answers
            .iter()
            .map(|&text| Answer::Text(text.into()))
            .collect()
    }

    fn differ(recorded: &[&str], received: &[&str], ignored: &[&str]) -> Vec<Difference> {
        let paths: Vec<_> = ignored
            .iter()
            .map(|path| FieldPath::parse(path).unwrap())
            .collect();
        compare(&texts(recorded), &texts(received), &paths)
    }

    #[test]
    fn json_is_compared_by_what_it_says() {
        assert_eq!(
            differ(&[r#"{"a":1,"b":2}"#], &[r#"{ "b":2, "a":1 }"#], &[]),
            []
        );
        assert_eq!(differ(&[r#"{"id":1}"#], &[r#"{"id":2}"#], &["id"]), []);
        assert_eq!(differ(&[r#"{"id":1}"#], &[r#"{"id":2}"#], &[]).len(), 1);
        assert_eq!(differ(&["a b"], &["a  b"], &[]).len(), 1, "text is not");
    }

    #[test]
    fn one_that_is_missing_or_too_much_does_not_shift_the_others() {
        let missing = differ(&["a", "b", "c"], &["a", "c"], &[]);
        let expected = Difference::Missing {
            answer: 2,
            recorded: "b".into(),
        };
        assert_eq!(missing, [expected]);
        let unexpected = differ(&["a", "c"], &["a", "b", "c"], &[]);
        let expected = Difference::Unexpected {
            after: 1,
            received: "b".into(),
        };
        assert_eq!(unexpected, [expected]);
        let changed = differ(&["a", "b", "c"], &["a", "x", "c"], &[]);
        assert!(matches!(
            &changed[..],
            [Difference::Changed { answer: 2, .. }]
        ));
    }

    #[test]
    fn text_is_not_taken_for_binary() {
        let binary = [Answer::Binary(b"hi".to_vec())];
        assert_eq!(compare(&binary, &texts(&["hi"]), &[]).len(), 1);
        assert_eq!(compare(&binary, &binary, &[]), []);
    }
}
