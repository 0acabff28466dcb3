//! More fields than name and amount: what is understood, and what a person is told when it is not.

use std::path::Path;

use crate::amocrm::{Detail, Source};
use crate::config::{Config, EnvMap};

/// Development with an amoCRM account and these variables.
fn configured(variables: &[(&str, &str)]) -> EnvMap {
    let amocrm = [
        ("INNGEST_DEV", "1"),
        ("AMOCRM_BASE_URL", "https://example.amocrm.ru"),
        ("AMOCRM_ACCESS_TOKEN", "token"),
        ("AMOCRM_TRIGGER_STATUSES", "9679730:142"),
    ];
    amocrm.iter().chain(variables).copied().collect()
}

fn complaints(variables: &[(&str, &str)]) -> Vec<String> {
    let mistakes = Config::load(&configured(variables)).unwrap_err().0;
    mistakes.iter().map(ToString::to_string).collect()
}

#[test]
fn every_source_has_its_name() {
    let fields = "lead.id:field_1,lead.url:field_2, lead.created_at : field_3,responsible:field_4,pipeline:field_5,\
                  status:field_6,tags:field_7,cf.1278898021:field_8,contact.name:field_9,contact.phone:field_10,\
                  contact.email:field_11,contact.cf.5:field_12,company.name:field_13,company.phone:field_14,\
                  company.email:field_15,company.cf.6:field_16,";
    let variables = [("CRM_FIELDS", fields), ("CRM_USERS", "504141:12, 504142:12,504141:12")];
    let config = Config::load(&configured(&variables)).unwrap();
    let mapping = config.amocrm.unwrap().mapping;
    let sources = [
        Source::LeadId,
        Source::LeadUrl,
        Source::CreatedAt,
        Source::Responsible,
        Source::Pipeline,
        Source::Status,
        Source::Tags,
        Source::Custom(1_278_898_021),
        Source::Contact(Detail::Name),
        Source::Contact(Detail::Phone),
        Source::Contact(Detail::Email),
        Source::Contact(Detail::Custom(5)),
        Source::Company(Detail::Name),
        Source::Company(Detail::Phone),
        Source::Company(Detail::Email),
        Source::Company(Detail::Custom(6)),
    ];
    let numbered = (1..).map(|number| format!("field_{number}"));
    assert_eq!(mapping.fields, Vec::from_iter(sources.into_iter().zip(numbered)));
    assert_eq!(mapping.users, [(504_141, 12), (504_142, 12)].into());
    assert_eq!((config.fields.len(), config.warnings.len()), (16, 0));
}

#[test]
fn nothing_is_mapped_by_default_and_created_by_is_the_apis_user() {
    let erp = [
        ("CRM_API_URL", "https://erp.example.org/api/rest.php"),
        ("CRM_API_KEY", "key"),
        ("CRM_API_USERNAME", "robot"),
        ("CRM_API_PASSWORD", "password"),
    ];
    let config = Config::load(&configured(&erp)).unwrap();
    assert_eq!(config.amocrm.unwrap().mapping, Default::default());
    assert_eq!((config.fields.len(), config.erp.unwrap().created_by), (0, None));
    let config = Config::load(&configured(&[&erp[..], &[("CRM_CREATED_BY", "12")]].concat()));
    assert_eq!(config.unwrap().erp.unwrap().created_by, Some(12));
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let fields = "lead.budget:field_1,contact.name,cf.:field_2,cf.utm:field_3,tags:1055,status:field_1039,\
                  pipeline:field_1040,lead.id:field_1041,contact.phone:field_5,company.phone:field_5,responsible:field_6";
    let told = complaints(&[
        ("CRM_FIELD_EXTERNAL_ID", "field_1041"),
        ("CRM_FIELDS", fields),
        ("CRM_USERS", "504141,1:a,2:3,2:4"),
        ("CRM_CREATED_BY", "me"),
    ]);
    let known = "lead.id, lead.url, lead.created_at, responsible, pipeline, status, tags, contact.name, contact.phone, \
                 contact.email, company.name, company.phone, company.email, cf.123456, contact.cf.123456, \
                 company.cf.123456";
    assert_eq!(
        told,
        [
            format!("CRM_FIELDS: \"lead.budget\" is nothing that amoCRM has; there are {known}")
                .as_str(),
            "CRM_FIELDS: \"contact.name\" names no field; write source:field_1060",
            "CRM_FIELDS: \"cf.\" lacks the number of its field; write cf.123456",
            "CRM_FIELDS: \"cf.utm\" lacks the number of its field; write cf.123456",
            "CRM_FIELDS: \"1055\" is no field; write field_ and its number, as field_1039",
            "CRM_FIELDS: status and CRM_FIELD_DEAL_NAME are both for field_1039; each needs its own",
            "CRM_FIELDS: pipeline and CRM_FIELD_AMOUNT are both for field_1040; each needs its own",
            "CRM_FIELDS: lead.id and CRM_FIELD_EXTERNAL_ID are both for field_1041; each needs its own",
            "CRM_FIELDS: company.phone and contact.phone are both for field_5; each needs its own",
            "CRM_USERS: \"504141\" is no pair of users; write amocrm-user:erp-user, as 504141:12",
            "CRM_USERS: \"1:a\" is no pair of users; write amocrm-user:erp-user, as 504141:12",
            "CRM_USERS: names two users of the ERP for 2",
            "CRM_CREATED_BY: \"me\" is no id; write a positive number",
        ]
    );
}

#[test]
fn users_are_for_the_responsible_one() {
    assert_eq!(
        complaints(&[("CRM_FIELDS", "responsible:field_4")]),
        [
            "CRM_USERS: is not set, and CRM_FIELDS has `responsible`; write amocrm-user:erp-user, as 504141:12"
        ]
    );
    let config = Config::load(&configured(&[("CRM_USERS", "504141:12")])).unwrap();
    assert_eq!(config.warnings, ["CRM_USERS: is not used: CRM_FIELDS has no `responsible`"]);
}

/// The lines that set `variable` in a text, as an example or not.
fn examples<'a>(text: &'a str, variable: &str) -> Vec<&'a str> {
    let lines = text.lines().map(|line| line.trim_start_matches(['#', ' ']));
    lines.filter_map(|line| line.strip_prefix(variable)?.strip_prefix('=')).collect()
}

#[test]
fn every_example_can_be_copied() {
    for file in [".env.example", "README.md", "README.ru.md", "docs/operations.md"] {
        let text =
            std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
        let names = ["CRM_FIELDS", "CRM_USERS", "CRM_CREATED_BY"];
        let variables = names.map(|name| match examples(&text, name)[..] {
            [example] => (name, example),
            ref examples => panic!("{file}: {name}: {examples:?}"),
        });
        let config = Config::load(&configured(&variables));
        assert!(config.is_ok_and(|config| config.fields.len() >= 5), "{file}");
    }
}
