//! The apps and their functions, as last registered.

mod config;
mod cron;
mod settings;
mod trigger;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::event::Event;
use crate::ids::named_uuid;

pub(crate) use config::Function;
pub(crate) use cron::Schedule;
pub(crate) use settings::{CancelOn, Concurrency, Rate, Scope, SingletonMode};
pub(crate) use trigger::Trigger;

#[derive(Debug, Default)]
pub(crate) struct Registry {
    apps: BTreeMap<String, App>,
}

#[derive(Debug)]
struct App {
    /// As it was registered.
    payload: Value,
    functions: BTreeMap<String, Arc<Function>>,
}

/// A registration that was accepted.
#[derive(Debug)]
pub(crate) struct Registered {
    pub(crate) app: String,
    pub(crate) app_uuid: String,
    /// Something changed since the last registration (P-069).
    pub(crate) modified: bool,
    pub(crate) functions: Vec<Arc<Function>>,
}

/// Why a registration was refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RegisterError {
    #[error("Invalid request: {0}")]
    Unreadable(String),
    #[error("App ID required")]
    NoAppId,
    /// The real server gives only the first part; the list names the faults (P-070).
    #[error("At least one function is invalid: {}", .0.join("; "))]
    InvalidFunctions(Vec<String>),
}

impl Registry {
    /// Replaces all functions of the app that the payload names (P-068).
    pub(crate) fn register(&mut self, body: &[u8]) -> Result<Registered, RegisterError> {
        let unreadable = |why: &str| RegisterError::Unreadable(why.to_owned());
        let payload: Value =
            serde_json::from_slice(body).map_err(|error| unreadable(&error.to_string()))?;
        let fields = payload.as_object().ok_or_else(|| unreadable("the body must be an object"))?;
        for field in ["v", "url", "sdk", "deployType", "framework", "appName", "appVersion"] {
            if fields.get(field).is_some_and(|value| !value.is_string() && !value.is_null()) {
                return Err(unreadable(&format!("`{field}` must be a string")));
            }
        }
        let app = fields.get("appName").and_then(Value::as_str).unwrap_or_default();
        if app.is_empty() {
            return Err(RegisterError::NoAppId);
        }
        let configs = match fields.get("functions") {
            None | Some(Value::Null) => &[][..],
            Some(Value::Array(configs)) => configs,
            Some(_) => return Err(unreadable("`functions` must be an array")),
        };
        let functions = read_all(configs)?;
        let modified = self.apps.get(app).is_none_or(|known| known.payload != payload);
        let registered = Registered {
            app: app.to_owned(),
            app_uuid: named_uuid("app", app),
            modified,
            functions: functions.values().cloned().collect(),
        };
        self.apps.insert(registered.app.clone(), App { payload, functions });
        Ok(registered)
    }

    /// The functions of one app, none where it was never registered.
    pub(crate) fn functions_of(&self, app: &str) -> impl Iterator<Item = &Arc<Function>> {
        self.apps.get(app).into_iter().flat_map(|app| app.functions.values())
    }

    /// The functions that an event starts, in a stable order.
    pub(crate) fn triggered_by(&self, event: &Event) -> Vec<Arc<Function>> {
        self.functions()
            .filter(|function| function.triggers.iter().any(|trigger| trigger.matches(event)))
            .cloned()
            .collect()
    }

    pub(crate) fn function(&self, id: &str) -> Option<&Arc<Function>> {
        self.functions().find(|function| function.id == id)
    }

    pub(crate) fn functions(&self) -> impl Iterator<Item = &Arc<Function>> {
        self.apps.values().flat_map(|app| app.functions.values())
    }
}

/// Of two functions with the same id the last one wins, as on the real server (P-075).
fn read_all(configs: &[Value]) -> Result<BTreeMap<String, Arc<Function>>, RegisterError> {
    let mut functions = BTreeMap::new();
    let mut problems = Vec::new();
    for (index, config) in configs.iter().enumerate() {
        match config::read(config) {
            Ok(function) => {
                functions.insert(function.id.clone(), Arc::new(function));
            }
            Err(found) => {
                let id = config.get("id").and_then(Value::as_str).filter(|id| !id.is_empty());
                let name = id.map_or_else(|| format!("functions[{index}]"), str::to_owned);
                problems.extend(found.into_iter().map(|problem| format!("{name}: {problem}")));
            }
        }
    }
    if problems.is_empty() { Ok(functions) } else { Err(RegisterError::InvalidFunctions(problems)) }
}
