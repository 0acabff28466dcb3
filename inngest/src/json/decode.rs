use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

/// JSON that does not fit the type it is decoded into.
#[derive(Debug)]
pub(crate) struct Mismatch(serde_path_to_error::Error<serde_json::Error>);

/// Where and how it does not fit, without the position in a text that is not shown.
impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.0.path().to_string();
        if path != "." {
            write!(f, "at `{path}`: ")?;
        }
        let reason = self.0.inner().to_string();
        f.write_str(reason.split(" at line ").next().unwrap_or(&reason))
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
