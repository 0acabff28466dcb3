//! The stored token pair, on either database.

use std::sync::Arc;
use std::time::Duration;

use prometei_flow::amocrm::{TokenPair, TokenStore as _};
use prometei_flow::clock::ManualClock;
use secrecy::ExposeSecret as _;

use crate::database::Database;

fn pair(access_token: &str, obtained_at: &str) -> TokenPair {
    let obtained_at = obtained_at.parse().unwrap();
    TokenPair {
        access_token: access_token.into(),
        refresh_token: format!("refresh of {access_token}").into(),
        obtained_at,
        expires_at: obtained_at + Duration::from_secs(86_400),
    }
}

#[tokio::test]
async fn of_two_token_pairs_for_the_same_predecessor_one_is_stored() {
    let database = Database::new().await;
    let clock = Arc::new(ManualClock::new("2026-11-22T10:00:00.125Z".parse().unwrap()));
    let (store, other) = (database.open(clock.clone()).await, database.open(clock).await);
    assert!(store.load().await.unwrap().is_none());
    let first = pair("first", "2026-11-22T10:00:00Z");
    assert!(store.replace(None, &first).await.unwrap());
    assert!(!other.replace(None, &pair("late", "2026-11-22T10:00:01Z")).await.unwrap());

    let (mine, theirs) =
        (pair("mine", "2026-11-23T10:00:00Z"), pair("theirs", "2026-11-23T10:00:00Z"));
    let (a, b) = tokio::join!(store.replace(Some(1), &mine), other.replace(Some(1), &theirs));
    let (a, b) = (a.unwrap(), b.unwrap());
    assert!(a != b, "one of them and only one");
    let stored = other.load().await.unwrap().unwrap();
    let token = stored.pair.access_token.expose_secret();
    assert_eq!((stored.generation, token), (2, if a { "mine" } else { "theirs" }));
    assert_eq!(stored.pair.expires_at, "2026-11-24T10:00:00Z".parse().unwrap());
    assert!(!store.replace(Some(1), &mine).await.unwrap());
    assert!(store.replace(Some(2), &mine).await.unwrap());
}
