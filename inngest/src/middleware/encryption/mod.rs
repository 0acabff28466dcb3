//! Middleware that encrypts what leaves.

mod cipher;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use super::{Middleware, Payload, PayloadKind};
use crate::Result;
use cipher::{Format, Keys, Random};

/// Encrypts what Inngest keeps for the app, and decrypts it when it comes back: Inngest sees the steps and their names, and
/// not what is in them. Needs the feature `encryption`; [the guide](crate::guide::encryption) says what is encrypted, what
/// is not, and how keys are changed.
///
/// ```
/// use inngest::middleware::Encryption;
/// use inngest::{Client, ReqwestTransport, Settings};
///
/// # fn client(transport: ReqwestTransport, key: &str) -> Result<Client, Box<dyn std::error::Error>> {
/// let client = Client::new(Settings::from_env()?, transport).with_middleware(Encryption::new(key)?);
/// # Ok(client) }
/// ```
pub struct Encryption {
    /// The first one encrypts.
    keys: Vec<Keys>,
    format: Format,
    event_field: Cow<'static, str>,
    encrypts: bool,
    random: Random,
}

/// A key that can be guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "an encryption key has fewer than 16 characters; use random ones, such as those of `openssl rand -base64 32`"
)]
pub struct WeakKey;

const SHORTEST_KEY: usize = 16;

impl Encryption {
    /// Encrypts with AES-256-GCM under this key, any text of at least 16 characters that cannot be guessed. White space around
    /// it is no part of it.
    pub fn new(key: &str) -> Result<Self, WeakKey> {
        Ok(Self {
            keys: vec![keys_of(key)?],
            format: Format::AesGcm,
            event_field: Cow::Borrowed("encrypted"),
            encrypts: true,
            random: getrandom::fill,
        })
    }

    /// Also decrypts what was encrypted under this key: an earlier one, or one that others have begun to use.
    pub fn with_fallback(mut self, key: &str) -> Result<Self, WeakKey> {
        self.keys.push(keys_of(key)?);
        Ok(self)
    }

    /// Encrypts as `@inngest/middleware-encryption` does, so that functions in TypeScript which have the same key can read
    /// it. What they have encrypted is read without this too.
    #[must_use]
    pub fn for_typescript(self) -> Self {
        Self { format: Format::SecretBox, ..self }
    }

    /// Encrypts this field of the data of events and invocations, in place of `encrypted`.
    #[must_use]
    pub fn event_field(self, name: impl Into<Cow<'static, str>>) -> Self {
        Self { event_field: name.into(), ..self }
    }

    /// Encrypts nothing: for the time in which not every reader has the key.
    #[must_use]
    pub fn only_decrypt(self) -> Self {
        Self { encrypts: false, ..self }
    }

    fn seal(&self, json: &RawValue) -> Result<Option<Box<RawValue>>> {
        let Some(keys) = self.keys.first().filter(|_| json.get() != "null") else {
            return Ok(None);
        };
        let data = keys.seal(self.format, json.get(), self.random)?;
        let strategy = Some(Cow::Borrowed(self.format.name()));
        Ok(Some(to_raw_value(&Envelope { encrypted: true, strategy, data: data.into() })?))
    }

    /// What is in an envelope; `None` for what is none, which is left as it is.
    fn open(&self, json: &RawValue) -> Result<Option<Box<RawValue>>> {
        let Some(Envelope { strategy, data, .. }) = Envelope::of(json) else { return Ok(None) };
        let strategy = strategy.unwrap_or_default();
        let Some(format) = Format::of_name(&strategy) else {
            return Err(format!(
                "it is encrypted as `{strategy}`, which this app cannot read; let its sender use another format"
            )
            .into());
        };
        // Tried again: during a change of keys, others may have the new one first.
        let opened = self.keys.iter().find_map(|keys| keys.open(format, &data));
        let opened = opened.ok_or(
            "no key of this app decrypts it; give the key of its sender as a fallback to `Encryption`",
        )?;
        Ok(Some(RawValue::from_string(opened)?))
    }

    /// The same object with one field sealed.
    fn seal_field(&self, json: &RawValue) -> Result<Option<Box<RawValue>>> {
        let Some(mut fields) = Fields::of(json) else { return Ok(None) };
        let Some(field) = fields.0.get_mut(&*self.event_field) else { return Ok(None) };
        let Some(sealed) = self.seal(field)? else { return Ok(None) };
        *field = Cow::Owned(sealed);
        Ok(Some(to_raw_value(&fields)?))
    }

    /// The same object with all that was sealed opened: another app may call its field by another name.
    fn open_fields(&self, json: &RawValue) -> Result<Option<Box<RawValue>>> {
        if !may_be_sealed(json) {
            return Ok(None);
        }
        let Some(mut fields) = Fields::of(json) else { return Ok(None) };
        for (name, field) in &mut fields.0 {
            let opened = self.open(field);
            let opened = opened.map_err(|error| error.within(format_args!("field `{name}`")))?;
            if let Some(opened) = opened {
                *field = Cow::Owned(opened);
            }
        }
        Ok(Some(to_raw_value(&fields)?))
    }
}

fn keys_of(key: &str) -> Result<Keys, WeakKey> {
    let key = key.trim();
    if key.chars().count() < SHORTEST_KEY {
        return Err(WeakKey);
    }
    Ok(Keys::of(key))
}

impl Middleware for Encryption {
    fn outgoing(&self, payload: &mut Payload<'_>) -> Result<()> {
        if !self.encrypts {
            return Ok(());
        }
        let sealed = match payload.kind {
            PayloadKind::Event { .. } | PayloadKind::Invoke { .. } => {
                self.seal_field(payload.json())?
            }
            PayloadKind::Step { .. }
            | PayloadKind::StepInput { .. }
            | PayloadKind::Output
            | PayloadKind::ErrorData { .. }
            | PayloadKind::Signal { .. } => self.seal(payload.json())?,
            // Others read it, and have no key.
            PayloadKind::Fetch { .. } | PayloadKind::Infer { .. } => None,
        };
        sealed.into_iter().for_each(|sealed| payload.replace(sealed));
        Ok(())
    }

    fn incoming(&self, payload: &mut Payload<'_>) -> Result<()> {
        let opened = match payload.kind {
            PayloadKind::Event { .. } => self.open_fields(payload.json())?,
            _ => self.open(payload.json())?,
        };
        opened.into_iter().for_each(|opened| payload.replace(opened));
        Ok(())
    }
}

/// What stands for a value that is encrypted. The names are those of the TypeScript package.
#[derive(Serialize, Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "__ENCRYPTED__")]
    encrypted: bool,
    #[serde(rename = "__STRATEGY__", borrow, default)]
    strategy: Option<Cow<'a, str>>,
    #[serde(borrow)]
    data: Cow<'a, str>,
}

impl<'a> Envelope<'a> {
    fn of(json: &'a RawValue) -> Option<Self> {
        let is_object = json.get().starts_with('{') && may_be_sealed(json);
        let envelope = is_object.then(|| serde_json::from_str::<Self>(json.get()).ok()).flatten();
        envelope.filter(|envelope| envelope.encrypted)
    }
}

/// Most is not, and large results need not be parsed to see it.
fn may_be_sealed(json: &RawValue) -> bool {
    json.get().contains("\"__ENCRYPTED__\"")
}

/// An object, its values unparsed.
#[derive(Serialize, Deserialize)]
struct Fields<'a>(#[serde(borrow)] BTreeMap<String, Cow<'a, RawValue>>);

impl<'a> Fields<'a> {
    fn of(json: &'a RawValue) -> Option<Self> {
        serde_json::from_str(json.get()).ok()
    }
}

#[cfg(test)]
mod tests;
