//! A chat room: what one client says goes to all, itself included.
//!
//! One that does not read loses its place when too much waits for it, and nobody else
//! waits for it.

use std::time::{SystemTime, UNIX_EPOCH};

use longwire::{EncodedMessage, Message, Result, SlowSubscriber, Socket, Topic};
use serde::{Deserialize, Serialize};

/// Bytes that wait for a member at most.
const MOST_BEHIND: usize = 1 << 20;

/// Most bytes of one message.
const MOST_BYTES: usize = 64 << 10;

/// What is said, as the page sends it and gets it.
#[derive(Debug, Deserialize, Serialize)]
struct Said {
    #[serde(rename = "type")]
    kind: Kind,
    text: String,
    id: Id,
    /// Milliseconds since 1970.
    date: serde_json::Number,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Message,
}

/// Who says it: whatever a client calls itself.
#[derive(Debug, Deserialize, Serialize)]
#[serde(untagged)]
enum Id {
    Number(serde_json::Number),
    Name(String),
    None(Option<()>),
}

/// The answer to a message that is none.
#[derive(Debug, Serialize)]
struct Complaint {
    #[serde(rename = "type")]
    kind: &'static str,
    text: String,
    date: u64,
}

/// A room, and who is in it. Clones are the same room.
#[derive(Clone)]
pub(super) struct Room {
    said: Topic,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            said: Topic::with(MOST_BEHIND, SlowSubscriber::Disconnect),
        }
    }
}

impl Room {
    /// Lets a socket take part until it closes.
    pub(super) async fn join(self, socket: Socket) -> Result<()> {
        let (sender, mut receiver) = socket.split();
        let _membership = self.said.subscribe(&sender);
        while let Some(message) = receiver.next().await {
            match read(&message?) {
                Ok(said) => {
                    self.said.publish(said);
                    // Who leaves next has heard its own words.
                    self.said.flush().await;
                }
                Err(complaint) => sender.send(complaint).await?,
            }
        }
        Ok(())
    }
}

/// A message in due form, encoded for all; or the answer to one that is not.
fn read(message: &Message) -> Result<EncodedMessage, String> {
    let said = check(message).map_err(|text| complain(&text))?;
    let json = serde_json::to_string(&said).map_err(|error| complain(&error.to_string()))?;
    Ok(EncodedMessage::text(&json))
}

fn check(message: &Message) -> Result<Said, String> {
    let text = message
        .as_text()
        .ok_or("expected a text message, got a binary one")?;
    if text.len() > MOST_BYTES {
        return Err(format!(
            "expected at most {MOST_BYTES} bytes, got {}",
            text.len()
        ));
    }
    serde_json::from_str(text).map_err(|error| {
        format!("expected JSON such as {{\"type\":\"message\",\"text\":\"Hi\",\"id\":1,\"date\":0}}: {error}")
    })
}

fn complain(text: &str) -> String {
    let complaint = Complaint {
        kind: "error",
        text: text.to_owned(),
        date: SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| {
                u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
            }),
    };
    // Strings and numbers always have a JSON form.
    serde_json::to_string(&complaint).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(text: &str) -> Result<String, String> {
        read(&Message::from(text)).map(|said| String::from_utf8(said.payload().to_vec()).unwrap())
    }

    #[test]
    fn a_message_in_due_form_goes_to_all_as_it_came() {
        for id in ["7", "\"ann\"", "null", "1.5"] {
            let text =
                format!(r#"{{"type":"message","text":"Hi","id":{id},"date":1700000000000}}"#);
            let got: serde_json::Value = serde_json::from_str(&answer(&text).unwrap()).unwrap();
            let sent: serde_json::Value = serde_json::from_str(&text).unwrap();
            for field in ["type", "text"] {
                assert_eq!(got[field], sent[field]);
            }
            for field in ["id", "date"] {
                assert_eq!(got[field].as_f64(), sent[field].as_f64());
            }
        }
    }

    #[test]
    fn a_malformed_message_is_answered_by_an_error_that_says_what_is_wrong() {
        for (text, wrong) in [
            ("hi", "expected JSON such as"),
            ("{}", "missing field `type`"),
            (r#"{"type":"message"}"#, "missing field `text`"),
            (
                r#"{"type":"shout","text":"","id":1,"date":1}"#,
                "unknown variant",
            ),
            (
                r#"{"type":"message","text":1,"id":1,"date":1}"#,
                "expected a string",
            ),
            (r#"{"type":"message","text":"","id":{},"date":1}"#, "Id"),
        ] {
            let complaint: serde_json::Value =
                serde_json::from_str(&answer(text).unwrap_err()).unwrap();
            assert_eq!(complaint["type"], "error");
            let told = complaint["text"].as_str().unwrap();
            assert!(told.contains(wrong), "{text}: {told}");
        }
        let binary = read(&Message::binary(vec![1])).unwrap_err();
        assert!(binary.contains("got a binary one"));
        let long = read(&Message::from("x".repeat(MOST_BYTES + 1))).unwrap_err();
        assert!(long.contains("expected at most 65536 bytes"));
    }
}
