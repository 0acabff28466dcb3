//! The logs.

use tracing_subscriber::EnvFilter;

use super::reader::Reader;
use crate::logging::{LogFormat, LogSettings};

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
