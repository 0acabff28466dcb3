//! The world around the service, made of fakes: an amoCRM, an ERP and an Inngest server on this machine.

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::config::{ConfigError, Env, EnvMap};
use sandbox::{FakeAmoCrm, FakeAmoCrmSettings, FakeErp, FakeErpSettings};

/// The lead of the original's real webhook.
pub(super) const LEAD_ID: u64 = 45_721_053;
pub(super) const LEAD_NAME: &str = "Ремонт офиса, ул. Ленина 5";
pub(super) const LEAD_PRICE: i64 = 46_333;

/// The webhook that amoCRM sent for it (a stage of a digital pipeline: ids only).
pub(super) const WEBHOOK: &str = "leads%5Bstatus%5D%5B0%5D%5Bid%5D=45721053&leads%5Bstatus%5D%5B0%5D%5Bstatus_id%5D=77186758&leads%5Bstatus%5D%5B0%5D%5Bpipeline_id%5D=9679730&leads%5Bstatus%5D%5B0%5D%5Bold_status_id%5D=77186754&leads%5Bstatus%5D%5B0%5D%5Bold_pipeline_id%5D=9679730&account%5Bid%5D=32452514&account%5Bsubdomain%5D=oooprometei";

/// A listener on a free port of this machine.
pub(super) async fn free_port() -> anyhow::Result<TcpListener> {
    TcpListener::bind(("127.0.0.1", 0)).await.context("no free port on 127.0.0.1")
}

/// A fake amoCRM that knows the lead.
pub(super) async fn fake_amocrm(stop: &CancellationToken) -> anyhow::Result<FakeAmoCrm> {
    let settings = FakeAmoCrmSettings::default();
    let amocrm = FakeAmoCrm::start(free_port().await?, stop.clone(), settings)?;
    amocrm.set_lead(LEAD_ID, LEAD_NAME, LEAD_PRICE);
    Ok(amocrm)
}

/// A fake ERP without records.
pub(super) async fn fake_erp(stop: &CancellationToken) -> anyhow::Result<FakeErp> {
    Ok(FakeErp::start(free_port().await?, stop.clone(), FakeErpSettings::default())?)
}

/// The variables that lead to a fake amoCRM.
pub(super) fn amocrm_variables(amocrm: &FakeAmoCrm) -> Vec<(&'static str, String)> {
    let FakeAmoCrmSettings { client_id, client_secret, redirect_uri, refresh_token, .. } =
        FakeAmoCrmSettings::default();
    vec![
        ("AMOCRM_BASE_URL", amocrm.url().as_str().trim_end_matches('/').to_owned()),
        ("AMOCRM_CLIENT_ID", client_id),
        ("AMOCRM_CLIENT_SECRET", client_secret),
        ("AMOCRM_REDIRECT_URI", redirect_uri),
        ("AMOCRM_REFRESH_TOKEN", refresh_token),
    ]
}

/// The variables that lead to a fake ERP.
pub(super) fn erp_variables(erp: &FakeErp) -> Vec<(&'static str, String)> {
    let FakeErpSettings { key, username, password, .. } = FakeErpSettings::default();
    vec![
        ("CRM_API_URL", erp.url().to_string()),
        ("CRM_API_KEY", key),
        ("CRM_API_USERNAME", username),
        ("CRM_API_PASSWORD", password),
    ]
}

/// Variables in front of others.
pub(super) struct Overlay<'e> {
    pub(super) front: EnvMap,
    pub(super) behind: &'e dyn Env,
}

impl Env for Overlay<'_> {
    fn raw(&self, name: &str) -> Result<Option<String>, ConfigError> {
        match self.front.raw(name)? {
            Some(value) => Ok(Some(value)),
            None => self.behind.raw(name),
        }
    }
}

/// Variables as a map.
pub(super) fn env_map(variables: &[(&'static str, String)]) -> EnvMap {
    variables.iter().map(|(name, value)| (*name, value.as_str())).collect()
}
