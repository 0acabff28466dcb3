use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::READABLE_DEPTH;

/// JSON that does not fit the type it is decoded into.
#[derive(Debug)]
pub(crate) struct Mismatch(serde_path_to_error::Error<serde_json::Error>);

/// What `serde_json` says of text that nests too deeply for it.
pub(super) const TOO_DEEP: &str = "recursion limit exceeded";

/// What is wrong with JSON, without the position: that is one in a text that is not shown.
pub(super) fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or_default().to_owned()
}

/// Where and how it does not fit.
impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.0.path().to_string();
        if path != "." {
            write!(f, "at `{path}`: ")?;
        }
        match without_position(self.0.inner()).as_str() {
            TOO_DEEP => write!(f, "it nests deeper than {READABLE_DEPTH} levels"),
            reason => f.write_str(reason),
        }
    }
}

/// Decodes JSON into `T`.
pub(crate) fn decode<T: DeserializeOwned>(raw: &RawValue) -> Result<T, Mismatch> {
    // Following the path costs time, and only an error needs it.
    if let Ok(value) = serde_json::from_str(raw.get()) {
        return Ok(value);
    }
    serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(raw.get()))
        .map_err(Mismatch)
}
