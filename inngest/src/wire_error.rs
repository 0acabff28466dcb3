//! Errors as they go to the server (P-119).

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::{Error, json};

/// The most bytes of a text. The server refuses a reply with a larger error than 4 MiB in every attempt (I3), and no
/// person reads as much as this.
const LONGEST_TEXT: usize = 64 * 1024;
const LONGEST_NAME: usize = 1024;
/// The most that an error carries besides its text: with it, both have to fit where a result does.
const MAX_DATA: usize = 3 * 1024 * 1024;
const MAX_CAUSE: usize = 512 * 1024;

/// What an error says of itself.
#[derive(Serialize)]
pub(crate) struct WireError<'a> {
    message: String,
    name: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<Box<RawValue>>,
}

impl<'a> WireError<'a> {
    /// All of it that the server can take.
    pub(crate) fn of(error: &'a Error) -> Self {
        let mut message = cut(&error.to_string(), LONGEST_TEXT).into_owned();
        let mut carried = |what, part: Option<&Value>, limit| match json::error_part(part?, limit) {
            Ok(part) => Some(part),
            Err(reason) => {
                message.push_str(&format!(" [its {what} was left out: {reason}]"));
                None
            }
        };
        let data = carried("data", error.data(), MAX_DATA);
        let cause = carried("cause", error.cause(), MAX_CAUSE);
        Self { message, name: cut(error.name(), LONGEST_NAME), data, cause }
    }
}

/// At most so many bytes of a text, with a mark where some are missing.
pub(crate) fn cut(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most {
        return Cow::Borrowed(text);
    }
    let kept = text.get(..text.floor_char_boundary(most)).unwrap_or_default();
    Cow::Owned(format!("{kept} [cut here; it had {} bytes]", text.len()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{LONGEST_TEXT, WireError};
    use crate::Error;

    fn wire(error: &Error) -> Value {
        serde_json::to_value(WireError::of(error)).expect("JSON")
    }

    #[test]
    fn what_fits_goes_as_it_is() {
        let error = Error::from("no").named("Refused").with_data(json!({ "code": 5 }));
        assert_eq!(
            wire(&error),
            json!({ "name": "Refused", "message": "no", "data": { "code": 5 } })
        );
        assert_eq!(wire(&Error::from("no")), json!({ "name": "Error", "message": "no" }));
        let longest = "x".repeat(LONGEST_TEXT);
        assert_eq!(wire(&Error::from(longest.clone()))["message"], longest);
    }

    #[test]
    fn a_longer_text_is_cut_between_characters_and_says_so() {
        let error = Error::from("я".repeat(3_000_000)).named("n".repeat(2000));
        let wire = wire(&error);
        let message = wire["message"].as_str().expect("text");
        assert!(message.ends_with("я [cut here; it had 6000000 bytes]"), "{}", &message[65_000..]);
        assert!(message.len() <= LONGEST_TEXT + 40);
        assert!(wire["name"].as_str().expect("text").ends_with("n [cut here; it had 2000 bytes]"));
    }

    #[test]
    fn data_that_the_server_could_not_keep_is_left_out_and_the_error_stays() {
        for (data, reason) in [
            (json!("<".repeat(1_000_000)), "6000002 as the server counts them"),
            (json!({ "id": u64::MAX }), "beyond 2^53"),
        ] {
            let wire = wire(&Error::from("no").named("Refused").with_data(data));
            assert_eq!((&wire["name"], &wire["data"]), (&json!("Refused"), &Value::Null));
            let message = wire["message"].as_str().expect("text");
            assert!(message.starts_with("no [its data was left out: "), "{message}");
            assert!(message.contains(reason), "{message}");
        }
    }
}
