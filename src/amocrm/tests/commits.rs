//! Every change says when it could not be committed, and the next one goes well.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use super::Account;
use crate::amocrm::api::table::next_turn;
use crate::amocrm::auth::table::{Replaces, replace};
use crate::amocrm::auth::{begin_consent, redeem_consent};
use crate::clock::Clock as _;

const SPACING: Duration = Duration::from_millis(200);

/// A database in which each change has something to change.
struct Prepared {
    account: Account,
    consent: String,
}

type Changed<'a> = Pin<Box<dyn Future<Output = anyhow::Result<bool>> + Send + 'a>>;
type Change = for<'a> fn(&'a Prepared) -> Changed<'a>;

/// Every function that changes data of this feature. Each returns whether it has changed any.
const CHANGES: &[(&str, Change)] = &[
    ("replace, the first pair", |it| {
        Box::pin(async {
            replace(&it.account.db, Replaces::Nothing, &it.account.pair("first")).await
        })
    }),
    ("replace, the next pair", |it| {
        Box::pin(async {
            replace(&it.account.db, Replaces::Generation(1), &it.account.pair("next")).await
        })
    }),
    ("replace, the pair of a consent", |it| {
        Box::pin(async {
            replace(&it.account.db, Replaces::Any, &it.account.pair("consent")).await
        })
    }),
    ("begin_consent", |it| {
        Box::pin(async {
            begin_consent(&it.account.db, it.account.clock.now()).await.map(|_| true)
        })
    }),
    ("redeem_consent", |it| {
        Box::pin(redeem_consent(&it.account.db, &it.consent, it.account.clock.now()))
    }),
    // Changes nothing on SQLite, where one process keeps the pace for itself.
    ("next_turn", |it| {
        Box::pin(async {
            next_turn(&it.account.db, SPACING).await.map(|_| it.account.db.is_shared())
        })
    }),
];

#[tokio::test]
async fn every_change_says_when_its_commit_failed_and_the_next_one_goes_well() {
    for (name, change) in CHANGES {
        let account = Account::new().await;
        let consent = begin_consent(&account.db, account.clock.now()).await.unwrap();
        if *name == "replace, the next pair" {
            assert!(replace(&account.db, Replaces::Nothing, &account.pair("first")).await.unwrap());
        }
        let it = Prepared { account, consent };
        it.account.database.refuse_commits().await;
        let refused = change(&it).await;
        assert!(!matches!(refused, Ok(true)), "{name} said nothing of its failed commit");
        it.account.database.accept_commits().await;
        let changes = *name != "next_turn" || it.account.db.is_shared();
        assert_eq!(change(&it).await.unwrap(), changes, "{name} after a failed commit");
    }
}
