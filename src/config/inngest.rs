//! The variables of Inngest, as the SDK reads them, and what this service asks for beyond that.

use std::collections::BTreeMap;

use inngest::{Mode, Settings};

use super::reader::Reader;

/// What the SDK reads. The branch that a hosting platform names is left out: this service has one environment.
const VARIABLES: [&str; 11] = [
    "INNGEST_DEV",
    "INNGEST_EVENT_KEY",
    "INNGEST_SIGNING_KEY",
    "INNGEST_SIGNING_KEY_FALLBACK",
    "INNGEST_ENV",
    "INNGEST_BASE_URL",
    "INNGEST_API_BASE_URL",
    "INNGEST_EVENT_API_BASE_URL",
    "INNGEST_SERVE_ORIGIN",
    "INNGEST_SERVE_PATH",
    "INNGEST_STREAMING",
];

/// The mode, which decides what else must be set, and the settings, unless they have a mistake.
pub(super) fn read(reader: &mut Reader<'_>) -> (Mode, Option<Settings>) {
    let values: BTreeMap<_, _> =
        VARIABLES.into_iter().filter_map(|name| Some((name, reader.text(name)?))).collect();
    let lookup = |name: &str| values.get(name).cloned();
    // A mode that cannot be read stops the start; until then it adds no complaints about missing keys.
    let mode = Mode::from_lookup(lookup).unwrap_or(Mode::Dev);
    let settings = Settings::from_lookup(lookup);
    let settings = settings.map_err(|error| {
        for mistake in error.mistakes {
            reader.error(mistake.variable, mistake.problem);
        }
    });
    if let Some(env) = values.get("INNGEST_ENV") {
        // It becomes a header.
        if !env.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
            reader.error("INNGEST_ENV", "must be plain ASCII text; write the environment's name");
        }
    }
    if values.get("INNGEST_EVENT_KEY").is_some_and(|key| key.contains('/')) {
        let why = "has a `/`, and an Inngest server finds no such key in a path; use one without";
        reader.warn("INNGEST_EVENT_KEY", why);
    }
    if mode == Mode::Cloud {
        let why = "copy it from the Inngest dashboard, or set INNGEST_DEV=1 for development";
        let key = values.get("INNGEST_SIGNING_KEY");
        reader.required("INNGEST_EVENT_KEY", values.get("INNGEST_EVENT_KEY"), why);
        reader.required("INNGEST_SIGNING_KEY", key, why);
        if key.is_some_and(|key| !key.starts_with("signkey-")) {
            reader.warn(
                "INNGEST_SIGNING_KEY",
                "has no signkey- prefix; right for a self-hosted Inngest only",
            );
        }
    }
    (mode, settings.ok())
}
