//! What happens in a world, moment by moment: acts of the script, webhooks of amoCRM, calls of Inngest, a person's consent.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use http::{Request, StatusCode};
use sandbox::{ErpField, FakeErpSettings, webhook_of};
use serde_json::json;

use super::inngest::{Answered, Effects};
use super::outside::in_process;
use super::process::{Service, name_of_deal, name_of_lead};
use super::script::{Act, Hook};
use super::world::{Due, STAGE, System, World};

/// amoCRM's attempts for one webhook, and how long it waits for an answer.
const REPEATS: [Duration; 5] = [
    Duration::ZERO,
    Duration::from_secs(5 * 60),
    Duration::from_secs(15 * 60),
    Duration::from_secs(15 * 60),
    Duration::from_secs(60 * 60),
];
const WEBHOOK_PATIENCE: Duration = Duration::from_secs(2);

/// How often Inngest's schedule fires here. Every five minutes, as the function asks for, would only cost time.
const TICK: Duration = Duration::from_secs(110 * 60);

/// A restart of Inngest that takes no longer is not noticed.
const RESTART: Duration = Duration::from_secs(60);
impl World {
    /// The process is gone. What it was answering is not answered any more.
    pub(super) fn goes_down(&self, down: Duration) {
        let calls = {
            let mut state = self.state();
            state.is_up = false;
            std::mem::take(&mut state.calls)
        };
        for (run, call) in calls {
            self.end_call(&run, call, &Answered::Unreachable);
        }
        self.later(down, Due::Start);
    }

    /// Begins an act of the script.
    pub(super) fn begin(&self, act: &Act) {
        self.tell(act.to_string());
        self.count(act.name());
        let system = match act {
            Act::Moves { lead, hook } => return self.moves(*lead, *hook),
            Act::Creates { deal } => return self.creates(*deal),
            Act::Hides { lead, time } => {
                self.state().hidden.insert(*lead);
                self.state().may_need_a_person = true;
                return self.later(*time, Due::Show(*lead));
            }
            Act::TokensEnd => return self.amocrm.expire_tokens(),
            Act::Revokes(time) => {
                self.amocrm.revoke();
                self.state().consent_is_due = true;
                return self.later(*time, Due::Consent);
            }
            // A server that comes back without its state.
            Act::InngestForgets(time) => {
                let mut state = self.state();
                let runs = state.inngest.forget();
                state.calls.clear();
                state.created.values_mut().for_each(|may_be_lost| *may_be_lost = true);
                drop(state);
                if runs > 0 {
                    self.count("Inngest loses a run");
                }
                if *time < RESTART {
                    return;
                }
                System::Inngest
            }
            Act::Killed { points, down } => {
                let mut state = self.state();
                if state.is_up {
                    state.points_left = Some(*points);
                    state.down = *down;
                }
                return;
            }
            Act::ClockSteps(by) => {
                self.state().disturbed = self.clock.passed();
                return self.clock.correct(*by);
            }
            Act::Deploy => return,
            Act::ErpRefuses(time) => {
                self.state().may_need_a_person = true;
                self.erp.configure(|erp| erp.remove_field("field_1040"));
                self.later(*time, Due::Mended);
                System::Erp
            }
            Act::ErpDenies(time) => {
                let way = self.roll(0, 3);
                self.erp.configure(|erp| match way {
                    0 => erp.password = "changed".to_owned(),
                    1 => erp.is_active = false,
                    2 => erp.address_is_allowed = false,
                    _ => erp.may_create = false,
                });
                self.later(*time, Due::Allowed);
                System::Erp
            }
            Act::Erp503(_)
            | Act::Erp503WithRow(_)
            | Act::ErpHangs(_)
            | Act::ErpPhpErrors(_)
            | Act::ErpHasNoDatabase(_)
            | Act::Erp502(_)
            | Act::ErpUnreachable(_) => System::Erp,
            Act::AmoCrm429(_)
            | Act::AmoCrm402(_)
            | Act::AmoCrm500(_)
            | Act::AmoCrmHangs(_)
            | Act::AmoCrmUnreachable(_) => System::AmoCrm,
            Act::InngestUnreachable(_)
            | Act::Inngest503(_)
            | Act::InngestLosesAnswers(_)
            | Act::InngestSwallows(_) => System::Inngest,
            Act::DatabaseRefuses(_)
            | Act::DatabaseFallsSilent(_)
            | Act::CommitsFail(_)
            | Act::CommitsLoseTheirAnswer(_) => System::Database,
        };
        let until = self.clock.passed() + act.lasts();
        if system == System::Database {
            self.state().disturbed = until;
        }
        self.state().away.insert(system, (*act, until));
        self.at(until, Due::Stir);
    }

    /// A lead enters the stage.
    fn moves(&self, lead: u64, hook: Hook) {
        self.amocrm.set_lead(lead, Some(name_of_lead(lead).as_str()), 1000);
        let at = self.clock.really().as_second();
        self.amocrm.add_event("lead_status_changed", lead, at, Some(STAGE));
        self.state().leads.insert(lead, super::world::LeadFacts::default());
        if self.state().hidden.contains(&lead) {
            self.amocrm.remove_lead(lead);
        }
        let soon = Duration::from_millis(self.roll(100, 2000));
        let sent = Due::Webhook { lead, attempt: 0 };
        match hook {
            Hook::Lost => {}
            Hook::Sent => self.later(soon, sent),
            Hook::Late(time) => self.later(time, sent),
            Hook::SentTwice => {
                self.later(soon, sent.clone());
                self.later(soon + Duration::from_millis(self.roll(0, 3000)), sent);
            }
        }
    }

    fn creates(&self, deal: u64) {
        if matches!(
            self.away(System::Inngest),
            Some((Act::InngestUnreachable(_) | Act::Inngest503(_), _))
        ) || !self.state().inngest.knows_functions()
        {
            // The other program tries again: it has no answer.
            return self.later(Duration::from_secs(600), Due::Act(Act::Creates { deal }));
        }
        let event = json!({ "name": "crm/create-deal", "id": format!("order-{deal}"),
                            "data": { "dealName": name_of_deal(deal), "amount": 500 }, "ts": 0 });
        let (mut effects, now) = (Effects::default(), self.clock.passed());
        self.state().inngest.take(&event, now, &mut effects);
        self.state().created.entry(deal).or_insert(false);
        self.follow(effects);
    }

    pub(super) fn handle(self: &Arc<Self>, due: Due, app: Option<&Service>) {
        match due {
            Due::Webhook { lead, attempt } => self.webhook(lead, attempt, app),
            Due::Call(run) => self.call(run, app),
            Due::Tick => {
                self.later(TICK, Due::Tick);
                let (mut effects, now) = (Effects::default(), self.clock.passed());
                if !self.inngest_is_down() {
                    self.state().inngest.tick(now, &mut effects);
                }
                self.follow(effects);
            }
            Due::LateInsert => {
                self.tell("the ERP finishes what its caller has given up");
                self.erp.finish_late_inserts();
            }
            Due::Look => self.look(),
            Due::LookAgain => {
                self.look();
                if let Some(service) = app {
                    self.look_at_the_metrics(service);
                }
                let wait = Duration::from_secs(self.roll(20, 180) * 60);
                self.later(wait, Due::LookAgain);
            }
            Due::Consent => self.consent(app),
            Due::ConsentAgain => {
                if self.state().consent_is_due {
                    self.consent(app);
                }
            }
            Due::Unanswered { lead, attempt, number } => {
                if self.state().unanswered.remove(&number) {
                    self.webhook_again(lead, attempt);
                }
            }
            Due::Show(lead) => {
                self.tell(format!("lead {lead} is shown again"));
                self.state().hidden.remove(&lead);
                self.amocrm.set_lead(lead, Some(name_of_lead(lead).as_str()), 1000);
                self.later(Duration::from_secs(60), Due::Look);
            }
            Due::Mended => {
                self.tell("a person mends the ERP's fields");
                self.erp.configure(|erp| erp.set_field(ErpField::numeric("field_1040")));
                self.later(Duration::from_secs(60), Due::Look);
            }
            Due::Allowed => {
                self.tell("a person gives the ERP's user its access back");
                self.erp.configure(|erp| {
                    erp.password = FakeErpSettings::default().password;
                    (erp.is_active, erp.address_is_allowed, erp.may_create) = (true, true, true);
                });
            }
            Due::Stir => self.stirred.notify_one(),
            Due::Act(_) | Due::Start | Due::Over => {}
        }
    }

    fn inngest_is_down(&self) -> bool {
        matches!(
            self.away(System::Inngest),
            Some((Act::InngestUnreachable(_) | Act::InngestForgets(_), _))
        )
    }

    /// amoCRM sends a webhook.
    fn webhook(self: &Arc<Self>, lead: u64, attempt: usize, app: Option<&Service>) {
        let Some(service) = app else { return self.webhook_again(lead, attempt) };
        let request = Request::post("/api/amocrm-webhook")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(webhook_of(lead)))
            .unwrap();
        let number = self.state().sends_webhook(lead);
        self.later(WEBHOOK_PATIENCE, Due::Unanswered { lead, attempt, number });
        let (world, public) = (Arc::clone(self), service.public.clone());
        tokio::spawn(async move {
            let status = in_process(&public, request).await.status();
            // Later than that it was asked for again.
            if world.state().unanswered.remove(&number) {
                world.webhook_answered(lead, attempt, status);
            }
        });
    }

    fn webhook_answered(&self, lead: u64, attempt: usize, status: StatusCode) {
        if status == StatusCode::OK {
            if let Some(facts) = self.state().leads.get_mut(&lead) {
                facts.accepted += 1;
            }
            self.stirred.notify_one();
        } else {
            self.tell(format!("lead {lead}: its webhook is answered {status}"));
            self.webhook_again(lead, attempt);
        }
    }

    fn webhook_again(&self, lead: u64, attempt: usize) {
        self.count("a webhook is repeated");
        match REPEATS.get(attempt + 1) {
            Some(wait) => self.later(*wait, Due::Webhook { lead, attempt: attempt + 1 }),
            None => self.tell(format!("lead {lead}: amoCRM gives its webhook up")),
        }
    }

    /// Inngest calls the service.
    fn call(self: &Arc<Self>, run: String, app: Option<&Service>) {
        if self.inngest_is_down() {
            // What it has to do waits until it is back.
            return self.later(Duration::from_secs(300), Due::Call(run));
        }
        let Some((request, call)) = self.state().inngest.call(&run) else { return };
        let Some(service) = app else { return self.end_call(&run, call, &Answered::Unreachable) };
        self.state().calls.insert((run.clone(), call));
        let (world, public) = (Arc::clone(self), service.public.clone());
        tokio::spawn(async move {
            let answer = in_process(&public, request.map(Body::from)).await;
            let (parts, body) = answer.into_parts();
            let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
            let header = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
            let answered = Answered::By(
                parts.status,
                header("retry-after").map(str::to_owned),
                header("x-inngest-no-retry") == Some("true"),
                body,
            );
            if world.state().calls.remove(&(run.clone(), call)) {
                world.end_call(&run, call, &answered);
            }
        });
    }

    fn end_call(&self, run: &str, call: u32, answered: &Answered) {
        let (mut effects, now) = (Effects::default(), self.clock.passed());
        self.state().inngest.called(run, call, answered, now, &mut effects);
        self.follow(effects);
    }

    /// A person sees `amocrm_needs_reauth`.
    fn look_at_the_metrics(self: &Arc<Self>, service: &Service) {
        let (world, amocrm) = (Arc::clone(self), service.amocrm.clone());
        tokio::spawn(async move {
            if let Ok(true) = amocrm.needs_consent().await {
                world.consent_is_wanted();
            }
        });
    }

    /// A person gives a consent, as often as it takes.
    fn consent(self: &Arc<Self>, app: Option<&Service>) {
        let Some(service) = app else {
            return self.later(Duration::from_secs(600), Due::Consent);
        };
        let (world, public) = (Arc::clone(self), service.public.clone());
        self.later(Duration::from_secs(600), Due::ConsentAgain);
        tokio::spawn(async move {
            let get = |uri: String| Request::get(uri).body(Body::empty()).unwrap();
            let begun = in_process(&public, get("/oauth/start".to_owned())).await;
            let link = begun.headers().get("location").and_then(|link| link.to_str().ok());
            let Some(link) = link.and_then(|link| link.parse::<url::Url>().ok()) else { return };
            let state = link.query_pairs().find(|(name, _)| name == "state");
            let state = state.map(|(_, state)| state.into_owned()).unwrap_or_default();
            let code = world.amocrm.issue_code();
            let client = sandbox::FakeAmoCrmSettings::default().client_id;
            let back = format!(
                "/oauth/callback?code={code}&state={state}&referer=127.0.0.1:81&client_id={client}"
            );
            let status = in_process(&public, get(back)).await.status();
            world.tell(format!("a person gives a consent: {status}"));
            if status == StatusCode::OK {
                world.count("a consent is given");
                world.state().consent_is_due = false;
                world.stirred.notify_one();
            }
        });
    }
}
