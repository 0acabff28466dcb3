//! Webhook intake: what amoCRM sends is stored before it is answered. No outside call is made here.

use std::time::Duration;

use anyhow::anyhow;
use functions::webhook::{AmoCrmWebhook, LeadFilter};
use secrecy::SecretString;

use super::Inbox;
use super::answer::IntakeAnswer;
use super::form::{self, Reading};
use super::secret;
use crate::metrics::{Metrics, WebhookOutcome};

/// The largest body that is taken.
pub const BODY_LIMIT: usize = 256 * 1024;

/// How long storing may take. amoCRM waits two seconds, and a clear 503 is better than no answer: it earns
/// the longest series of repeats.
const STORE_LIMIT: Duration = Duration::from_millis(1500);

/// Takes webhooks in.
pub struct Intake {
    /// Where they go.
    pub inbox: Inbox,
    /// The secrets of which a webhook must carry one; none: every webhook is taken.
    pub secrets: Vec<SecretString>,
    /// Which leads make a deal.
    pub filter: LeadFilter,
    /// Counts them.
    pub metrics: Metrics,
}

impl Intake {
    /// Takes one webhook in: `secret` is the query parameter of that name, decoded.
    ///
    /// Once the answer is 200, every lead that concerns us is stored durably. Garbage is kept and answered
    /// 200 too: a 4xx would make amoCRM repeat what cannot get better, and in the end disable the webhook.
    pub async fn accept(
        &self,
        content_type: Option<&str>,
        secret: Option<&str>,
        body: &[u8],
    ) -> IntakeAnswer {
        let answer = self.answer(content_type, secret, body).await;
        self.metrics.webhook(answer.outcome);
        answer
    }

    /// What a webhook without the right secret is answered: asked before its body is read, so that strangers cannot make
    /// us hold one.
    pub fn refuse_stranger(&self, secret: Option<&str>) -> Option<IntakeAnswer> {
        let is_ours = secret::is_one_of(&self.secrets, secret);
        (!is_ours).then(|| self.refuse_unread(WebhookOutcome::Unauthorized))
    }

    /// Refuses a webhook whose body was not read, being over [`BODY_LIMIT`].
    pub fn refuse_oversized(&self) -> IntakeAnswer {
        tracing::warn!("a webhook over the size limit was refused");
        self.refuse_unread(WebhookOutcome::TooLarge)
    }

    /// Refuses a webhook whose body did not arrive whole. Half a webhook is none; the sender may repeat it.
    pub fn refuse_incomplete(&self) -> IntakeAnswer {
        tracing::warn!("a webhook did not arrive whole");
        self.refuse_unread(WebhookOutcome::NotStored)
    }

    /// Refuses a webhook for whose body there is no room now; the sender may repeat it.
    pub fn refuse_crowded(&self) -> IntakeAnswer {
        tracing::warn!("a webhook was refused: too many others are being read");
        self.refuse_unread(WebhookOutcome::NotStored)
    }

    fn refuse_unread(&self, outcome: WebhookOutcome) -> IntakeAnswer {
        self.metrics.webhook(outcome);
        IntakeAnswer::refused(outcome)
    }

    async fn answer(
        &self,
        content_type: Option<&str>,
        secret: Option<&str>,
        body: &[u8],
    ) -> IntakeAnswer {
        if !secret::is_one_of(&self.secrets, secret) {
            return IntakeAnswer::refused(WebhookOutcome::Unauthorized);
        }
        if body.len() > BODY_LIMIT {
            tracing::warn!(bytes = body.len(), "a webhook over the size limit was refused");
            return IntakeAnswer::refused(WebhookOutcome::TooLarge);
        }
        let stored = match form::read(content_type, body, &self.filter) {
            Reading::Empty => return IntakeAnswer::nothing(WebhookOutcome::Empty),
            Reading::Ignored => return IntakeAnswer::nothing(WebhookOutcome::Ignored),
            Reading::Unparsable { reason } => self.keep(body, &reason).await,
            Reading::Leads { parsed, problem } => {
                let received_at = format!("{:.3}", self.inbox.db.clock.now());
                let leads = AmoCrmWebhook::from_body(parsed, Some(&received_at));
                self.take(body, &leads, problem.as_deref()).await
            }
        };
        stored.unwrap_or_else(|error| {
            tracing::error!(error = format!("{error:#}"), "a webhook could not be stored");
            IntakeAnswer::refused(WebhookOutcome::NotStored)
        })
    }

    async fn take(
        &self,
        body: &[u8],
        leads: &[AmoCrmWebhook],
        problem: Option<&str>,
    ) -> anyhow::Result<IntakeAnswer> {
        let ids = in_time(self.inbox.store(body, leads, problem)).await?;
        self.metrics.leads_stored(ids.len());
        let leads: Vec<_> = leads.iter().map(|lead| lead.lead_id).collect();
        match problem {
            None => tracing::info!(?leads, "webhook stored"),
            Some(problem) => {
                tracing::warn!(
                    ?leads,
                    problem,
                    "webhook stored, but a part of it could not be read"
                );
            }
        }
        Ok(IntakeAnswer::accepted(ids.len()))
    }

    async fn keep(&self, body: &[u8], reason: &str) -> anyhow::Result<IntakeAnswer> {
        in_time(self.inbox.store_unparsable(body, reason)).await?;
        tracing::warn!(
            reason,
            bytes = body.len(),
            "a webhook could not be read; its body was kept"
        );
        Ok(IntakeAnswer::nothing(WebhookOutcome::Unparsable))
    }
}

/// Giving up leaves no half: the transaction is rolled back, or was committed and the repeat is a duplicate.
async fn in_time<T>(storing: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    match tokio::time::timeout(STORE_LIMIT, storing).await {
        Ok(stored) => stored,
        Err(_) => Err(anyhow!("the database did not answer within {STORE_LIMIT:?}")),
    }
}
