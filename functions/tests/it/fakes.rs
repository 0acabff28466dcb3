//! An amoCRM and an ERP that give prepared answers and record the requests.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use functions::ports::{
    AmoCrm, Authorization, Compared, Created, Deal, DealKey, Erp, Error, FailedDeal, Gone, Lead,
    More, Reading, Related, Result, WaitsFor,
};
use inngest::Clock;
use serde_json::{Number, json};

/// 2023-11-14T22:13:20Z.
pub(crate) fn clock() -> Clock {
    Clock::new(|| SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000))
}

#[derive(Clone, Default)]
pub(crate) struct FakeErp {
    pub(crate) created: Arc<Mutex<Vec<Deal>>>,
    pub(crate) failed: Arc<Mutex<Vec<FailedDeal>>>,
    /// The leads that need no record, and why.
    pub(crate) not_needed: Arc<Mutex<Vec<(u64, String)>>>,
    /// Deals whose name contains this are refused, without another retry.
    pub(crate) refuses: Option<&'static str>,
    /// What they wait for then.
    pub(crate) waits_for: Option<WaitsFor>,
    pub(crate) knows_them_all: bool,
    /// What is known of every deal before its lead is read.
    pub(crate) reading: Reading,
    /// What is compared with every deal, before it is updated and after.
    pub(crate) compared: Option<(Compared, Compared)>,
    /// What becomes of a deal whose lead is gone, and whether the lead was said to be deleted.
    pub(crate) gone: Arc<Mutex<Vec<bool>>>,
}

impl FakeErp {
    pub(crate) fn names(&self) -> Vec<String> {
        self.created.lock().unwrap().iter().map(|deal| deal.name.clone()).collect()
    }
}

impl Erp for FakeErp {
    async fn create(&self, deal: &Deal) -> Result<Created> {
        if self.refuses.is_some_and(|name| deal.name.contains(name)) {
            let refused = Error::never("the ERP refuses the record");
            return Err(match self.waits_for {
                Some(waits_for) => refused.waiting_for(waits_for),
                None => refused,
            });
        }
        self.created.lock().unwrap().push(deal.clone());
        let reply = json!({ "status": "success", "data": { "id": "119" } });
        Ok(Created { reply, duplicate: self.knows_them_all })
    }

    async fn note_failure(&self, failure: &FailedDeal) -> Result<()> {
        self.failed.lock().unwrap().push(failure.clone());
        Ok(())
    }

    async fn not_needed(&self, key: &DealKey, reason: &str) -> Result<()> {
        if let DealKey::Lead { lead_id, .. } = key {
            self.not_needed.lock().unwrap().push((*lead_id, reason.to_owned()));
        }
        Ok(())
    }

    async fn reading(&self, _: &DealKey) -> Result<Reading> {
        Ok(self.reading)
    }

    async fn compare(&self, _: &Deal) -> Result<Option<Compared>> {
        Ok(self.compared.clone().map(|(before, _)| before))
    }

    async fn update(&self, _: &Deal) -> Result<Option<Compared>> {
        Ok(self.compared.clone().map(|(_, after)| after))
    }

    async fn gone(&self, _: &DealKey, reading: Reading, deleted: bool) -> Result<Gone> {
        self.gone.lock().unwrap().push(deleted);
        Ok(if reading.has_record { Gone::HasRecord("119".to_owned()) } else { Gone::Ended })
    }
}

#[derive(Clone, Default)]
pub(crate) struct FakeAmoCrm {
    pub(crate) leads: BTreeMap<u64, Lead>,
    /// What its contacts and companies have.
    pub(crate) related: BTreeMap<String, String>,
    /// Those that were read.
    pub(crate) asked: Arc<Mutex<Vec<Related>>>,
    /// After so many reads the leads are there.
    pub(crate) lag: u32,
    pub(crate) reads: Arc<Mutex<Vec<u64>>>,
    /// What is not shown was deleted.
    pub(crate) says_deleted: bool,
}

impl FakeAmoCrm {
    pub(crate) fn with(leads: &[(u64, &str, u64)]) -> Self {
        let lead = |&(id, name, price): &(u64, &str, u64)| {
            let price = Some(Number::from(price));
            (
                id,
                Lead { id, name: Some(name.to_owned()), price, stage: None, more: More::default() },
            )
        };
        Self { leads: leads.iter().map(lead).collect(), ..Self::default() }
    }

    /// Every lead is in this stage.
    pub(crate) fn in_stage(mut self, stage: (u64, u64)) -> Self {
        self.leads.values_mut().for_each(|lead| lead.stage = Some(stage));
        self
    }
}

impl AmoCrm for FakeAmoCrm {
    async fn authorize(&self) -> Result<Authorization> {
        Ok(Authorization { expires_at: Some("2023-11-15T00:00:00Z".parse().unwrap()) })
    }

    async fn lead(&self, lead_id: u64) -> Result<Option<Lead>> {
        let mut reads = self.reads.lock().unwrap();
        reads.push(lead_id);
        let visible = reads.len() > usize::try_from(self.lag).unwrap();
        Ok(self.leads.get(&lead_id).filter(|_| visible).cloned())
    }

    async fn is_deleted(&self, _: u64) -> Result<bool> {
        Ok(self.says_deleted)
    }

    async fn related(&self, related: Related) -> Result<BTreeMap<String, String>> {
        self.asked.lock().unwrap().push(related);
        Ok(self.related.clone())
    }
}
