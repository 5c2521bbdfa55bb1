//! Fields of JSON that are not compared.

use serde_json::Value;

/// What stands where a field was that is not compared.
const IGNORED: &str = "(ignored)";

/// A path such as `id`, `user.id`, `items[].date`, `items[0]`, `*.id` or, at any
/// depth, `..date`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FieldPath(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Field(String),
    /// Each element of an array, or one of them.
    Element(Option<usize>),
    /// Each field of an object.
    EachField,
    /// What follows is at any depth.
    Anywhere,
}

impl FieldPath {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let expected =
            || format!("expected a path such as id, items[].date or ..date, got {text:?}");
        let mut parts = Vec::new();
        let mut rest = text.strip_prefix('$').unwrap_or(text);
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix("..") {
                parts.push(Part::Anywhere);
                rest = after;
                // A field has to follow.
                if after.is_empty() || after.starts_with('.') {
                    return Err(expected());
                }
                continue;
            }
            if let Some(after) = rest.strip_prefix('[') {
                let (index, after) = after.split_once(']').ok_or_else(expected)?;
                parts.push(Part::Element(match index {
                    "" | "*" => None,
                    index => Some(index.parse().map_err(|_| expected())?),
                }));
                rest = after;
                continue;
            }
            rest = rest.strip_prefix('.').unwrap_or(rest);
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            let (name, after) = rest.split_at(end);
            parts.push(match name {
                "" => return Err(expected()),
                "*" => Part::EachField,
                name => Part::Field(name.to_owned()),
            });
            rest = after;
        }
        if parts.is_empty() {
            return Err(expected());
        }
        Ok(Self(parts))
    }

    /// Takes what is there out of the comparison.
    pub(super) fn ignore(&self, value: &mut Value) {
        ignore(&self.0, value);
    }
}

fn ignore(parts: &[Part], value: &mut Value) {
    let Some((part, rest)) = parts.split_first() else {
        *value = Value::from(IGNORED);
        return;
    };
    match (part, value) {
        (Part::Field(name), Value::Object(fields)) => {
            if let Some(field) = fields.get_mut(name) {
                ignore(rest, field);
            }
        }
        (Part::EachField, Value::Object(fields)) => {
            for field in fields.values_mut() {
                ignore(rest, field);
            }
        }
        (Part::Element(None), Value::Array(elements)) => {
            for element in elements {
                ignore(rest, element);
            }
        }
        (Part::Element(Some(index)), Value::Array(elements)) => {
            if let Some(element) = elements.get_mut(*index) {
                ignore(rest, element);
            }
        }
        (Part::Anywhere, value) => {
            ignore(rest, value);
            match value {
                Value::Object(fields) => fields.values_mut().for_each(|field| ignore(parts, field)),
                Value::Array(elements) => elements.iter_mut().for_each(|each| ignore(parts, each)),
                _ => {}
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_to_fields_elements_and_any_depth() {
        let json = r#"{"id":1,"user":{"id":2},"items":[{"date":3,"x":{"date":4}},{"date":5}]}"#;
        for (path, ignored) in [
            ("id", vec!["/id"]),
            (".user.id", vec!["/user/id"]),
            ("$.items[].date", vec!["/items/0/date", "/items/1/date"]),
            ("items[1].date", vec!["/items/1/date"]),
            (
                "..date",
                vec!["/items/0/date", "/items/0/x/date", "/items/1/date"],
            ),
            ("*.id", vec!["/user/id"]),
            ("nothing.here[7]", vec![]),
        ] {
            let mut value: Value = serde_json::from_str(json).unwrap();
            let mut expected = value.clone();
            FieldPath::parse(path).unwrap().ignore(&mut value);
            for pointer in ignored {
                *expected.pointer_mut(pointer).unwrap() = Value::from(IGNORED);
            }
            assert_eq!(value, expected, "{path}");
        }
        for bad in ["", "$", "..", "a..", "a[", "a[x]", "a...b", "."] {
            assert!(FieldPath::parse(bad).is_err(), "{bad}");
        }
    }
}
