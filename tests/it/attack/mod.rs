//! Untrusted clients at the public listener: what they may hold and cost, while webhooks are answered.

mod clients;
mod full;
mod load;
