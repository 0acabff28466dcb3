//! Questions to the ERP that create nothing: what they show of each state of its access, on every PHP.

use std::time::Duration;

use sandbox::{ErpFailure, ErpVersion, FakeErpSettings, Php};

use super::{Bench, marked};
use crate::erp::error::Barrier;
use crate::erp::{Body, ErpError, MarkerLookup};

/// How an ERP refuses access.
type Spoil = fn(&mut FakeErpSettings);

fn barrier<T>(answer: &Result<T, ErpError>) -> Option<Barrier> {
    match answer {
        Ok(_) => None,
        Err(ErpError::NoAccess { barrier, .. }) => Some(*barrier),
        Err(other) => panic!("{other:?}"),
    }
}

/// E3, E7: what stops us is told apart, also where PHP 8 answers everything with an empty 500.
#[tokio::test]
async fn each_refusal_of_access_is_known_by_its_place_in_the_order_of_checks() {
    use Barrier as B;
    let everywhere = |barrier| [Some(barrier); 3];
    // What each is stopped at: the login, an insert, a look-up.
    let wrong: [(&str, Spoil, [Option<B>; 3]); 8] = [
        ("nothing", |_| {}, [None; 3]),
        ("switch", |erp| erp.is_enabled = false, everywhere(B::Switch)),
        ("key", |erp| erp.key = "x".to_owned(), everywhere(B::Key)),
        ("address", |erp| erp.address_is_allowed = false, everywhere(B::Address)),
        ("login", |erp| erp.password = "x".to_owned(), everywhere(B::Login)),
        ("account", |erp| erp.is_active = false, everywhere(B::Account)),
        ("create", |erp| erp.may_create = false, [None, Some(B::Create), None]),
        ("view", |erp| erp.may_view = false, [None, None, Some(B::View)]),
    ];
    for (name, spoil, stopped) in wrong {
        for (version, php, display_errors) in [
            (ErpVersion::V344, Php::Seven, false),
            (ErpVersion::V362, Php::Seven, false),
            (ErpVersion::V362, Php::Seven, true),
            (ErpVersion::V362, Php::Eight, false),
            (ErpVersion::V362, Php::Eight, true),
        ] {
            let mut settings =
                FakeErpSettings { version, php, display_errors, ..FakeErpSettings::default() };
            spoil(&mut settings);
            let bench = Bench::of(settings).await.with(|settings| settings.body = Body::Form);
            let client = bench.client();
            let speaks = (version, php) != (ErpVersion::V362, Php::Eight);
            let said = |barrier: Option<Barrier>| match barrier {
                Some(B::Address | B::Login | B::Account) if !speaks => Some(B::LoginOrAddress),
                barrier => barrier,
            };
            let context = format!("{name}, {version:?}, {php:?}, {display_errors}");
            let answers = [
                barrier(&client.logs_in().await),
                barrier(&client.may_create(70).await),
                barrier(&client.may_view().await),
            ];
            assert_eq!(answers, stopped.map(said), "{context}");
            assert!(bench.erp.rows().is_empty(), "{context}");
        }
    }
}

#[tokio::test]
async fn a_question_that_needs_no_right_is_answered_without_one() {
    for body in [Body::Json, Body::Form] {
        let bench = Bench::new().await.with(|settings| settings.body = body);
        bench.erp.configure(|erp| (erp.may_create, erp.may_view) = (false, false));
        assert_eq!(bench.client().logs_in().await, Ok(()));
        let fields = bench.client().entity_fields().await.unwrap().unwrap();
        assert!(fields.has("field_1039") && !fields.has("field_77"));
        assert_eq!(bench.erp.count("insert"), 0);
    }
}

/// An ERP that breaks down answers as one that refuses access. It is not taken for one.
#[tokio::test]
async fn a_breakdown_is_no_refusal_of_access() {
    for failure in [ErpFailure::Empty500, ErpFailure::BadGateway, ErpFailure::DatabaseError] {
        let bench = Bench::new().await;
        bench.erp.break_next(100, failure.clone());
        let client = bench.client();
        for answer in [client.logs_in().await, client.may_create(70).await, client.may_view().await]
        {
            assert!(matches!(answer, Err(ErpError::Unavailable { .. })), "{failure:?}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn the_right_to_change_is_asked_for_without_changing() {
    for body in [Body::Json, Body::Form] {
        let bench = Bench::new().await.with(|settings| settings.body = body);
        bench.erp.add_row([("field_1039", "A")]);
        assert_eq!(bench.client().may_update().await, Ok(()));
        assert_eq!(bench.erp.rows()[0].fields.len(), 1);
        bench.erp.configure(|erp| erp.may_update = false);
        assert_eq!(barrier(&bench.client().may_update().await), Some(Barrier::Update));
    }
}

/// E4.
#[tokio::test]
async fn a_stopped_database_is_named() {
    let bench = Bench::new().await;
    bench.erp.break_next(1, ErpFailure::NoDatabase);
    let answer = bench.client().may_create(70).await.unwrap_err();
    let says = "it has no database: Database Error: 2002 - Connection refused";
    assert!(answer.to_string().contains(says), "{answer}");
}

/// E5, E8: such a page says that a look-up can never work. No other failed query does.
#[tokio::test]
async fn a_look_up_of_what_the_entity_does_not_have_is_a_mistake_and_no_outage() {
    let bench = Bench::new().await.with(marked);
    bench.erp.configure(|erp| erp.fields_elsewhere.push("field_1041".to_owned()));
    let failed = bench.client().find_by_marker(7, None).await.unwrap_err();
    let text = failed.to_string();
    assert!(
        text.contains("1054") && text.contains("Set CRM_FIELD_EXTERNAL_ID to a field"),
        "{text}"
    );
    bench.erp.configure(|erp| (erp.entity_id, erp.is_administrator) = (71, true));
    let failed = bench.client().find_by_marker(7, None).await.unwrap_err();
    let text = failed.to_string();
    assert!(text.contains("1146") && text.contains("Set CRM_ENTITY_ID to the number"), "{text}");
    bench.erp.fail_next(1, ErpFailure::DatabaseError);
    let failed = bench.client().find_by_marker(7, None).await.unwrap_err();
    assert!(matches!(failed, ErpError::Unavailable { .. }), "{failed:?}");
}

/// It is no word of the API, so it does not say that an insert would be answered with one.
#[tokio::test]
async fn a_broken_table_is_an_outage_for_an_insert() {
    for number in [1054, 1146] {
        let bench = Bench::new().await;
        let body = format!(
            "<app_db_error>\n<div>\n<div><strong>Database Error:</strong> {number} - no</div>\n</div>"
        );
        bench.erp.break_next(1, ErpFailure::Answer { status: 200, body });
        let failed = bench.client().may_create(70).await.unwrap_err();
        assert!(matches!(failed, ErpError::Unavailable { .. }), "{failed:?}");
    }
}

/// E7.
#[tokio::test]
async fn a_look_up_names_the_right_that_it_lacks() {
    let bench = Bench::new().await.with(marked);
    bench.erp.configure(|erp| erp.may_view = false);
    let failed = bench.client().find_by_marker(7, None).await;
    assert_eq!(barrier(&failed), Some(Barrier::View));
    bench.erp.configure(|erp| erp.may_view = true);
    assert_eq!(bench.client().find_by_marker(7, None).await, Ok(MarkerLookup::Absent));
}

/// E8.
#[tokio::test]
async fn a_sub_entity_is_known_by_what_it_asks_for() {
    let bench = Bench::new().await;
    assert_eq!(bench.client().is_sub_entity().await, Ok(false));
    bench.erp.configure(|erp| erp.is_sub_entity = true);
    assert_eq!(bench.client().is_sub_entity().await, Ok(true));
    assert!(bench.erp.rows().is_empty());
}

#[tokio::test]
async fn a_question_that_is_not_answered_is_asked_again_when_the_erp_says() {
    let bench = Bench::new().await;
    bench.erp.break_next(1, ErpFailure::Unavailable { retry_after: Some(90) });
    let failed = bench.client().may_create(70).await.unwrap_err();
    let wait = Some(Duration::from_secs(90));
    assert!(
        matches!(failed, ErpError::Unavailable { retry_after, .. } if retry_after == wait),
        "{failed:?}"
    );
}
