//! The exchange of a refresh token for the next pair: no token is offered again that is known to be spent, and the new
//! pair is stored before it is used.

use std::collections::HashMap;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use super::error::TokenError;
use super::oauth::{Grant, OAuthClient};
use super::pair::{Owner, StoredTokenPair, TokenPair};
use super::table::{self, Replaces};
use crate::amocrm::pause::Pause;
use crate::clock::SharedClock;
use crate::db::Db;

/// Pauses between the attempts to store a new pair, before it is left to wait in memory.
const STORE_AGAIN: [Duration; 2] = [Duration::from_millis(200), Duration::from_millis(800)];

/// What only the holder of the lock on the exchange may use.
pub(super) struct Exchange {
    pub(super) oauth: OAuthClient,
    db: Db,
    clock: SharedClock,
    owner: Owner,
    /// A new pair that could not be stored, and what it replaces: the only copy of a live refresh token.
    unsaved: Option<(Replaces, TokenPair)>,
    /// The last failure with each refresh token, by its fingerprint, so that none is presented over and over.
    failures: HashMap<String, Failure>,
}

struct Failure {
    /// How long it holds; for ever without.
    pause: Option<Pause>,
    error: TokenError,
}

/// A refresh token that can be exchanged.
#[derive(Clone, Copy)]
pub(super) enum Offer<'a> {
    /// `AMOCRM_REFRESH_TOKEN`, in place of this pair.
    Seed(&'a SecretString, Option<&'a StoredTokenPair>),
    /// That of the stored pair.
    Stored(&'a StoredTokenPair),
}

impl Exchange {
    pub(super) fn new(oauth: OAuthClient, db: Db, clock: SharedClock, owner: Owner) -> Self {
        Self { oauth, db, clock, owner, unsaved: None, failures: HashMap::new() }
    }

    /// Exchanges a refresh token, unless it has failed and that holds.
    pub(super) async fn offer(&mut self, offer: Offer<'_>) -> Result<StoredTokenPair, TokenError> {
        let key = fingerprint(offer.token());
        let before = self.failure(&key)?;
        let renewed = match self.exchange(offer, before).await {
            Ok(renewed) => renewed,
            Err(error) => return Err(self.failed(key, error)),
        };
        self.failures.clear();
        if renewed.pair.access_token.expose_secret().is_empty() {
            let reason = "amoCRM's answer came without an access token".to_owned();
            let error = TokenError::OutcomeUnknown { reason, answered: true };
            return Err(self.failed(fingerprint(&renewed.pair.refresh_token), error));
        }
        if let Some(error) = renewed.is_last() {
            tracing::error!(%error, until = %renewed.pair.expires_at, "amoCRM can be called until then");
        }
        Ok(renewed)
    }

    /// Makes the exchange. `before` is why the outcome of the last one with this token was unclear.
    async fn exchange(
        &mut self,
        offer: Offer<'_>,
        before: Option<String>,
    ) -> Result<StoredTokenPair, TokenError> {
        if let Offer::Stored(stored) = offer
            && let Some(error) = stored.is_last()
        {
            return Err(error);
        }
        let (generation, mut unclear) = (offer.generation(), before);
        let mut issued = match offer {
            Offer::Stored(stored) => self.oauth.refresh(&stored.pair).await,
            Offer::Seed(token, _) => self.oauth.exchange(Grant::Refresh(token)).await,
        };
        if let Err(TokenError::OutcomeUnknown { reason, answered: false }) = &issued {
            // Where the lock was lost with its connection, another replica may have been here.
            if let Some(newer) = self.newer_than(generation).await? {
                return Ok(newer);
            }
            unclear = Some(reason.clone());
            issued = self.oauth.exchange(Grant::Refresh(offer.token())).await;
        }
        let error = match issued {
            Ok(pair) => {
                let replaces = generation.map_or(Replaces::Nothing, Replaces::Generation);
                return self.save(replaces, pair).await;
            }
            Err(error) => match unclear {
                Some(first) => error.after_unknown_outcome(&first),
                None => error,
            },
        };
        // What amoCRM has said is remembered also where the database cannot be read: else a dead token is offered again.
        if let Ok(Some(newer)) = self.newer_than(generation).await {
            return Ok(newer);
        }
        if let TokenError::NeedsReauth { reason, .. } = &error {
            self.note_refusal(offer, reason).await;
        }
        Err(error)
    }

    /// Spends the code of a consent. An error of the database means that the new pair waits in memory.
    pub(super) async fn redeem(&mut self, code: &SecretString) -> Result<TokenPair, TokenError> {
        let pair = self.oauth.exchange(Grant::Code(code)).await?;
        // A pair that waits to be stored is older than this one.
        self.unsaved = None;
        self.failures.clear();
        Ok(pair)
    }

    /// Makes sure that the stored pair is of the configured integration and account.
    pub(super) async fn check_owner(&mut self, stored: &StoredTokenPair) -> Result<(), TokenError> {
        let Some((client_id, host)) = stored.owner.as_ref().filter(|_| !stored.is_of(&self.owner))
        else {
            return Ok(());
        };
        let key = fingerprint(&stored.pair.refresh_token);
        self.failure(&key)?;
        // An account that was renamed keeps its tokens; then it was AMOCRM_SUBDOMAIN that was corrected.
        if *client_id == self.owner.client_id && self.oauth.is_here(&stored.pair).await {
            let adopted = table::adopt(&self.db, &self.owner, stored.generation).await;
            return adopted.map_err(|error| database_failed(&error));
        }
        let error = TokenError::Foreign { client_id: client_id.clone(), host: host.clone() };
        Err(self.failed(key, error))
    }

    /// Stores a new pair, or keeps it in memory until it can be stored.
    pub(super) async fn save(
        &mut self,
        replaces: Replaces,
        pair: TokenPair,
    ) -> Result<StoredTokenPair, TokenError> {
        let mut pauses = STORE_AGAIN.into_iter();
        while let Err(error) = table::replace(&self.db, &self.owner, replaces, &pair).await {
            match pauses.next() {
                Some(pause) => tokio::time::sleep(pause).await,
                None => {
                    self.unsaved = Some((replaces, pair));
                    return Err(database_failed(&error));
                }
            }
        }
        load(&self.db).await?.ok_or_else(|| TokenError::Database {
            reason: "the pair that was just stored is gone".to_owned(),
        })
    }

    /// Whether a pair waits in memory.
    pub(super) fn has_unsaved(&self) -> bool {
        self.unsaved.is_some()
    }

    /// Stores the pair that waits in memory, where there is one.
    pub(super) async fn save_unsaved(&mut self) -> Result<(), TokenError> {
        match self.unsaved.take() {
            Some((replaces, pair)) => self.save(replaces, pair).await.map(drop),
            None => Ok(()),
        }
    }

    async fn newer_than(&self, known: Option<i64>) -> Result<Option<StoredTokenPair>, TokenError> {
        Ok(load(&self.db).await?.filter(|stored| Some(stored.generation) != known))
    }

    /// The failure with this token, while it holds; after that, why its outcome was unclear.
    fn failure(&mut self, key: &str) -> Result<Option<String>, TokenError> {
        let Some(failure) = self.failures.get_mut(key) else { return Ok(None) };
        let now = self.clock.now();
        if failure.pause.as_mut().is_none_or(|pause| pause.left(now).is_some()) {
            return Err(failure.error.clone());
        }
        Ok(match &failure.error {
            TokenError::OutcomeUnknown { reason, .. } => Some(reason.clone()),
            _ => None,
        })
    }

    fn failed(&mut self, key: String, error: TokenError) -> TokenError {
        tracing::warn!(%error, "the access token was not refreshed");
        let pause = error.back_off().map(|length| Pause::new(self.clock.now(), length));
        self.failures.insert(key, Failure { pause, error: error.clone() });
        error
    }

    async fn note_refusal(&self, offer: Offer<'_>, reason: &str) {
        let noted = match offer {
            Offer::Stored(stored) => {
                table::refuse(&self.db, &self.owner, stored.generation, reason).await
            }
            Offer::Seed(..) => table::refuse_seed(&self.db, &self.owner).await,
        };
        if let Err(error) = noted {
            // This process remembers it all the same.
            tracing::warn!(error = format!("{error:#}"), "a dead refresh token was not noted");
        }
    }
}

impl<'a> Offer<'a> {
    fn token(self) -> &'a SecretString {
        match self {
            Self::Seed(token, _) => token,
            Self::Stored(stored) => &stored.pair.refresh_token,
        }
    }

    /// Of the pair in whose place the new one comes.
    fn generation(self) -> Option<i64> {
        match self {
            Self::Seed(_, stored) => stored.map(|stored| stored.generation),
            Self::Stored(stored) => Some(stored.generation),
        }
    }
}

/// The newest pair.
pub(super) async fn load(db: &Db) -> Result<Option<StoredTokenPair>, TokenError> {
    table::load(db).await.map_err(|error| database_failed(&error))
}

/// Tells one token from another, and can be stored.
pub(super) fn fingerprint(token: &SecretString) -> String {
    hex::encode(Sha256::digest(token.expose_secret().as_bytes()))
}

pub(super) fn database_failed(error: &anyhow::Error) -> TokenError {
    TokenError::Database { reason: format!("{error:#}") }
}
