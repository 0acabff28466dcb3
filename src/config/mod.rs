//! Configuration: read once, checked as a whole, before anything starts.

mod amocrm;
mod database;
#[cfg(test)]
mod docs;
mod env;
mod erp;
mod error;
mod fields;
mod inngest;
mod listen;
mod log;
mod origin;
mod reader;
#[cfg(test)]
mod tests;
mod webhook;

pub(crate) use database::DatabaseSettings;
pub(crate) use env::{Env, EnvMap, ProcessEnv};
pub(crate) use error::{ConfigError, ConfigErrors};
pub(crate) use listen::{AdminSettings, ListenSettings};
pub(crate) use webhook::WebhookSettings;

use std::collections::BTreeSet;
use std::net::SocketAddr;

use ::inngest::Mode;

use crate::amocrm::AmoCrmSettings;
use crate::deals::{Dedupe, Rules};
use crate::erp::ErpSettings;
use crate::logging::LogSettings;
use reader::Reader;

/// Where the admin listener is, whatever else is configured.
pub(crate) fn admin_address(env: &dyn Env) -> Result<SocketAddr, ConfigErrors> {
    let mut reader = Reader::new(env);
    let admin = listen::read_admin(&mut reader);
    reader.finish().map(|_| admin)
}

/// What is needed to look at deals and to decide about them, whatever else is configured.
pub(crate) fn ledger(env: &dyn Env) -> Result<(DatabaseSettings, Rules), ConfigErrors> {
    let mut reader = Reader::new(env);
    let database = database::read(&mut reader);
    let (_, rules, _) = erp::read(&mut reader, Mode::Dev);
    reader.finish().map(|_| (database, rules))
}

/// The configuration of the service. `Debug` shows no secret.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// The listeners.
    pub listen: ListenSettings,
    /// What the admin listener shows, and to whom.
    pub admin: AdminSettings,
    /// Inngest: mode, keys and addresses.
    pub inngest: ::inngest::Settings,
    /// The database.
    pub database: DatabaseSettings,
    /// The amoCRM account. Without it webhooks are still stored, and their runs fail with what is missing.
    pub amocrm: Option<AmoCrmSettings>,
    /// Which webhooks are accepted.
    pub webhook: WebhookSettings,
    /// The ERP. Absent in development mode only.
    pub erp: Option<ErpSettings>,
    /// The ERP's fields in `CRM_FIELDS`: what a record may hold besides name and amount.
    pub fields: BTreeSet<String>,
    /// When two deals are the same one, and when one is sent again.
    pub rules: Rules,
    /// The logs.
    pub log: LogSettings,
    /// What is allowed but probably not intended, one line each, for the log and for `doctor`.
    pub warnings: Vec<String>,
}

impl Config {
    /// Reads and checks every variable. All mistakes come back at once.
    pub(crate) fn load(env: &dyn Env) -> Result<Self, ConfigErrors> {
        let mut reader = Reader::new(env);
        let (listen, admin) = listen::read(&mut reader);
        let (mode, inngest) = inngest::read(&mut reader);
        if mode == Mode::Dev && !listen.is_local() {
            reader.warn("INNGEST_DEV", "calls need no signature, and HOST lets other machines in");
        }
        let database = database::read(&mut reader);
        let webhook = webhook::read(&mut reader, mode);
        let mut amocrm = amocrm::read(&mut reader, webhook.filter.account_id);
        let (erp, rules, mapping) = erp::read(&mut reader, mode);
        let fields = mapping.erp_fields(|_| true);
        if let Some(amocrm) = &mut amocrm {
            amocrm.mapping = mapping;
        }
        if amocrm.is_some()
            && webhook.filter.trigger_statuses.is_none()
            && rules.dedupe == Dedupe::Lead
        {
            reader.warn(
                "AMOCRM_TRIGGER_STATUSES",
                "is not set: each lead gets its record when it is created, still empty, and when it is won it has one \
                 already; set the stages that make a deal, as pipeline:status",
            );
        }
        let log = log::read(&mut reader);
        let warnings = reader.finish()?;
        // Without settings there was a mistake, and the line above has returned it.
        let inngest = inngest.ok_or_else(|| ConfigErrors(Vec::new()))?;
        Ok(Self {
            listen,
            admin,
            inngest,
            database,
            amocrm,
            webhook,
            erp,
            fields,
            rules,
            log,
            warnings,
        })
    }
}
