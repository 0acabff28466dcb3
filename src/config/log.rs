//! The logs.

use tracing_subscriber::EnvFilter;

use super::reader::Reader;

/// What is logged and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// The form, if it is to be a certain one; else pretty on a terminal and JSON elsewhere.
    pub format: Option<LogFormat>,
    /// What is logged, in the words of `RUST_LOG`.
    pub filter: String,
}

/// The form of the logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// For machines: one JSON object a line.
    Json,
}

pub(super) fn read(reader: &mut Reader<'_>) -> LogSettings {
    let format = reader.parsed("LOG_FORMAT", |text| match text {
        "pretty" => Ok(LogFormat::Pretty),
        "json" => Ok(LogFormat::Json),
        _ => Err(format!("{text:?} is not known; write pretty or json")),
    });
    let filter = reader.parsed("RUST_LOG", |text| match EnvFilter::try_new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => {
            Err(format!("is no filter ({error}); write info, or prometei_flow=debug,info"))
        }
    });
    LogSettings { format, filter: filter.unwrap_or_else(|| "info".to_owned()) }
}
