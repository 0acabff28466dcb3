//! The manual, beyond what stands at each item.

#[doc = include_str!("determinism.md")]
pub mod determinism {}

#[doc = include_str!("errors.md")]
pub mod errors {}

#[doc = include_str!("observability.md")]
pub mod observability {}

#[cfg(feature = "encryption")]
#[doc = include_str!("encryption.md")]
pub mod encryption {}

#[doc = include_str!("streaming.md")]
pub mod streaming {}

#[cfg(feature = "testing")]
#[doc = include_str!("testing.md")]
pub mod testing {}

#[doc = include_str!("deployment.md")]
pub mod deployment {}
