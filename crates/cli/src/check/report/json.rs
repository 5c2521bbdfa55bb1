//! The report as JSON, for programs.

use super::Report;

impl Report {
    /// The report and the number of cases by verdict, in one object.
    pub(crate) fn to_json(&self) -> String {
        let counts = self.counts();
        let mut value = serde_json::json!(self);
        if let Some(object) = value.as_object_mut() {
            object.insert("counts".to_owned(), serde_json::json!(counts));
        }
        format!("{value:#}\n")
    }
}
