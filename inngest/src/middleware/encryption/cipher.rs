//! The two formats, and the keys for them.

use aes_gcm::Aes256Gcm;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use blake2::Blake2b;
use blake2::digest::consts::U32;
use crypto_secretbox::XSalsa20Poly1305;
use sha2::{Digest as _, Sha256};

/// How something was encrypted, as its envelope says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// A nonce of 12 bytes and what AES-256-GCM makes of the JSON, in base64.
    AesGcm,
    /// A nonce of 24 bytes and what libsodium's `crypto_secretbox_easy` makes of the JSON, in base64.
    SecretBox,
}

impl Format {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::AesGcm => "inngest-rs/aes-256-gcm",
            Self::SecretBox => "inngest/libsodium",
        }
    }

    pub(super) fn of_name(name: &str) -> Option<Self> {
        [Self::AesGcm, Self::SecretBox].into_iter().find(|format| format.name() == name)
    }
}

/// Fills a nonce.
pub(super) type Random = fn(&mut [u8]) -> Result<(), getrandom::Error>;

/// A key for each format, made of the same text.
pub(super) struct Keys {
    aes_gcm: Aes256Gcm,
    secret_box: XSalsa20Poly1305,
}

impl Keys {
    pub(super) fn of(text: &str) -> Self {
        // Not the key of the other format: no key is for two ciphers.
        let name = Format::AesGcm.name();
        let for_aes = Sha256::new().chain_update(name).chain_update([0]).chain_update(text);
        // As the TypeScript package makes it.
        let for_box: [u8; 32] = Blake2b::<U32>::digest(text).into();
        Self {
            aes_gcm: aes_gcm::KeyInit::new(&for_aes.finalize()),
            secret_box: crypto_secretbox::KeyInit::new(&for_box.into()),
        }
    }

    /// What stands for `json` in an envelope.
    pub(super) fn seal(&self, format: Format, json: &str, random: Random) -> crate::Result<String> {
        let (mut short, mut long) = ([0; 12], [0; 24]);
        let nonce: &mut [u8] = match format {
            Format::AesGcm => &mut short,
            Format::SecretBox => &mut long,
        };
        random(nonce)?;
        let mut sealed = nonce.to_vec();
        let encrypted = match format {
            Format::AesGcm => {
                aes_gcm::aead::Aead::encrypt(&self.aes_gcm, &short.into(), json.as_bytes()).ok()
            }
            Format::SecretBox => {
                let cipher = &self.secret_box;
                crypto_secretbox::aead::Aead::encrypt(cipher, &long.into(), json.as_bytes()).ok()
            }
        };
        sealed.extend(encrypted.ok_or("it is too large to be encrypted")?);
        Ok(STANDARD.encode(sealed))
    }

    /// The JSON for which `data` stands; `None` where this key did not encrypt it.
    pub(super) fn open(&self, format: Format, data: &str) -> Option<String> {
        let sealed = STANDARD.decode(data).ok()?;
        let opened = match format {
            Format::AesGcm => {
                let (nonce, encrypted) = sealed.split_first_chunk::<12>()?;
                aes_gcm::aead::Aead::decrypt(&self.aes_gcm, nonce.into(), encrypted).ok()
            }
            Format::SecretBox => {
                let (nonce, encrypted) = sealed.split_first_chunk::<24>()?;
                crypto_secretbox::aead::Aead::decrypt(&self.secret_box, nonce.into(), encrypted)
                    .ok()
            }
        };
        String::from_utf8(opened?).ok()
    }
}
