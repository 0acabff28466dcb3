//! The states, by name.

use sandbox::{ErpFailure, ErpField, ErpVersion, FakeErpSettings, Php};

use crate::world::NOWHERE;

/// What is wrong, and what is seen of it.
pub(super) struct State {
    pub(super) name: &'static str,
    /// How the ERP is set up.
    pub(super) spoil: fn(&mut FakeErpSettings),
    /// What answers in its place.
    pub(super) answers: Option<ErpFailure>,
    /// A variable of the service that is wrong.
    pub(super) variable: Option<(&'static str, &'static str)>,
    /// What `doctor` says, and what to do.
    pub(super) found: [&'static str; 2],
    pub(super) deal: Deal,
}

/// What becomes of a deal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Deal {
    /// It waits for the ERP, and goes by itself.
    Waits,
    /// The ERP refuses it, and a person has to correct something.
    Refused,
    /// It has its record.
    Made,
}
use Deal::{Made, Refused, Waits};

pub(super) fn erp(
    name: &'static str,
    spoil: fn(&mut FakeErpSettings),
    found: [&'static str; 2],
    deal: Deal,
) -> State {
    State { name, spoil, answers: None, variable: None, found, deal }
}

fn answer(name: &'static str, answers: ErpFailure, found: [&'static str; 2]) -> State {
    State { name, spoil: |_| {}, answers: Some(answers), variable: None, found, deal: Waits }
}

fn page(status: u16, body: &str) -> ErpFailure {
    ErpFailure::Answer { status, body: body.to_owned() }
}

fn variable(
    name: &'static str,
    variable: (&'static str, &'static str),
    found: [&'static str; 2],
    deal: Deal,
) -> State {
    State { name, spoil: |_| {}, answers: None, variable: Some(variable), found, deal }
}

const LOGIN: &str =
    "that the user's Status is Active («Активный»), and the ERP's list of allowed addresses";
const CREATE: &str =
    "the right Create for the entity, in its Access Configuration («Настройка доступа»: «Создать»)";
const VIEW: &str = "the right View for the entity, and not View Assigned Only";
const SERVER: &str = "check CRM_API_URL and the network, and on the ERP's server its database";

pub(super) fn of_access() -> Vec<State> {
    vec![
        erp(
            "the API is switched off",
            |erp| erp.is_enabled = false,
            ["API is not enabled", "Switch the API on"],
            Waits,
        ),
        erp(
            "another key",
            |erp| erp.key = "x".to_owned(),
            ["API Key mismatch", "Set CRM_API_KEY"],
            Waits,
        ),
        erp(
            "an address that is not allowed, PHP 7",
            |erp| (erp.php, erp.address_is_allowed) = (Php::Seven, false),
            ["is not allowed!", "allowed addresses in the ERP: Extension, Tools, API"],
            Waits,
        ),
        erp(
            "an address that is not allowed, PHP 8",
            |erp| erp.address_is_allowed = false,
            ["an error of PHP", LOGIN],
            Waits,
        ),
        erp(
            "a wrong password, PHP 7",
            |erp| (erp.php, erp.password) = (Php::Seven, "x".to_owned()),
            [
                "No match for Username and/or Password",
                "Correct CRM_API_USERNAME or CRM_API_PASSWORD",
            ],
            Waits,
        ),
        erp(
            "a wrong password, PHP 8",
            |erp| erp.password = "x".to_owned(),
            ["an error of PHP", LOGIN],
            Waits,
        ),
        erp(
            "a wrong password, PHP 8 with display_errors",
            |erp| (erp.display_errors, erp.password) = (true, "x".to_owned()),
            ["Uncaught TypeError", LOGIN],
            Waits,
        ),
        erp(
            "an account that is not active, PHP 7",
            |erp| (erp.php, erp.is_active) = (Php::Seven, false),
            ["Your account is not active", "Status to Active in the ERP («Статус»: «Активный»)"],
            Waits,
        ),
        erp(
            "an account that is not active, PHP 8",
            |erp| erp.is_active = false,
            ["an error of PHP", LOGIN],
            Waits,
        ),
        erp(
            "no right to create, PHP 7",
            |erp| (erp.php, erp.may_create) = (Php::Seven, false),
            ["Access denied", CREATE],
            Waits,
        ),
        erp(
            "no right to create, PHP 8",
            |erp| erp.may_create = false,
            ["though the login works", CREATE],
            Waits,
        ),
        State {
            spoil: |erp| erp.may_update = false,
            ..variable(
                "no right to change what changes later, PHP 8",
                ("CRM_ON_CHANGE", "update"),
                ["though the login works", "the right Update for the entity"],
                Made,
            )
        },
        erp(
            "no right to view, or View Assigned Only, PHP 7",
            |erp| (erp.php, erp.may_view) = (Php::Seven, false),
            ["Access denied", VIEW],
            Made,
        ),
        erp(
            "no right to view, or View Assigned Only, PHP 8",
            |erp| erp.may_view = false,
            ["though the login works", VIEW],
            Made,
        ),
    ]
}

pub(super) fn of_the_server() -> Vec<State> {
    vec![
        answer(
            "a stopped database",
            ErpFailure::NoDatabase,
            ["it has no database: Database Error: 2002", SERVER],
        ),
        answer("a breakdown of PHP", ErpFailure::Empty500, ["HTTP 500 without a body", SERVER]),
        answer("a proxy without the ERP", ErpFailure::BadGateway, ["HTTP 502", SERVER]),
        answer(
            "no such page",
            page(404, "<h1>Not Found</h1>"),
            ["the full address of api/rest.php", SERVER],
        ),
        answer(
            "the page of the login",
            page(200, "<title>Login</title>"),
            ["HTTP 200, \"Login\"", SERVER],
        ),
        answer(
            "a firewall",
            page(403, "<h1>Forbidden</h1>"),
            ["what stands before the ERP", SERVER],
        ),
        answer(
            "another address",
            ErpFailure::Redirect("https://erp.example.org/api/rest.php".to_owned()),
            ["redirects are not followed", SERVER],
        ),
        variable("no server", ("CRM_API_URL", NOWHERE), ["no connection", SERVER], Waits),
        erp(
            "JSON to an ERP that reads forms",
            |erp| erp.version = ErpVersion::V344,
            ["key is required", "set CRM_BODY=form"],
            Refused,
        ),
    ]
}

pub(super) fn of_the_entity() -> Vec<State> {
    vec![
        erp(
            "an entity that does not exist",
            |erp| erp.entity_id = 71,
            ["Entity #70 does not exist", "set CRM_ENTITY_ID"],
            Refused,
        ),
        erp(
            "an entity that does not exist, as administrator",
            |erp| (erp.entity_id, erp.is_administrator) = (71, true),
            ["Entity #70 does not exist", "set CRM_ENTITY_ID"],
            Refused,
        ),
        erp(
            "a sub-entity",
            |erp| erp.is_sub_entity = true,
            ["entity 70 is a sub-entity", "set CRM_ENTITY_ID to an entity of the top level"],
            Refused,
        ),
        erp(
            "a field that does not exist",
            |erp| erp.remove_field("field_1040"),
            ["entity 70 has no field_1040", "correct CRM_ENTITY_ID, CRM_FIELD_DEAL_NAME"],
            Refused,
        ),
        erp(
            "a name that is a number",
            |erp| erp.set_field(ErpField::numeric("field_1039")),
            ["field_1039 holds the deal's name, and is no text", "an Input Field («Поле ввода»)"],
            Made,
        ),
        erp(
            "a name that is unique",
            |erp| erp.set_field(ErpField::text("field_1039").unique()),
            ["field_1039 is unique", "Unique Field to No («Уникальное поле»: «Нет»)"],
            Made,
        ),
        erp(
            "an amount that is a list",
            |erp| erp.set_field(ErpField::of_type("field_1040", "fieldtype_dropdown")),
            [
                "field_1040 holds the deal's amount, and is no number",
                "Input Numeric Field («Числовое поле»)",
            ],
            Made,
        ),
        erp(
            "an amount that is unique",
            |erp| erp.set_field(ErpField::numeric("field_1040").unique()),
            ["field_1040 is unique", "Unique Field to No"],
            Made,
        ),
        erp(
            "a field that is required and not filled",
            |erp| erp.set_field(ErpField::text("field_1042").required()),
            ["the ERP requires field_1042", "Is Required? («Обязательное поле?»)"],
            Made,
        ),
    ]
}

pub(super) fn of_the_marker() -> Vec<State> {
    const TEXT: &str = "an Input Field («Поле ввода») with Unique Field: Yes";
    vec![
        erp(
            "a marker that is a number",
            |erp| erp.set_field(ErpField::numeric("field_1041").unique()),
            ["field_1041 is a number", TEXT],
            Made,
        ),
        erp(
            "a marker with thousands apart",
            |erp| erp.set_field(ErpField::numeric("field_1041").formatted("0/./ ").unique()),
            ["field_1041 is a number in the format 0/./ ", TEXT],
            Made,
        ),
        erp(
            "a marker that is a list",
            |erp| erp.set_field(ErpField::of_type("field_1041", "fieldtype_dropdown")),
            ["field_1041 is no text: fieldtype_dropdown", TEXT],
            Made,
        ),
        erp(
            "a marker that is not unique",
            |erp| erp.set_field(ErpField::text("field_1041")),
            ["field_1041 is not unique", "Unique Field to Yes («Уникальное поле»: «Да»)"],
            Made,
        ),
        erp(
            "a marker of another entity",
            |erp| {
                erp.remove_field("field_1041");
                erp.fields_elsewhere.push("field_1041".to_owned());
            },
            ["1054", "Set CRM_FIELD_EXTERNAL_ID to a field of the entity"],
            Refused,
        ),
    ]
}

pub(super) fn of_more_fields() -> Vec<State> {
    let mapped = |name, spoil, found, deal| State {
        variable: Some(("CRM_FIELDS", "lead.url:field_1060,tags:field_1061")),
        ..erp(name, spoil, found, deal)
    };
    vec![
        mapped(
            "a further field that does not exist",
            |erp| erp.set_field(ErpField::text("field_1061")),
            ["entity 70 has no field_1060", "correct CRM_FIELDS"],
            Refused,
        ),
        mapped(
            "a further field that is unique",
            |erp| {
                erp.set_field(ErpField::text("field_1060").unique());
                erp.set_field(ErpField::text("field_1061"));
            },
            ["field_1060 is unique", "Unique Field to No"],
            Made,
        ),
        mapped(
            "a text for a list",
            |erp| {
                erp.set_field(ErpField::text("field_1060"));
                erp.set_field(ErpField::of_type("field_1061", "fieldtype_dropdown"));
            },
            ["field_1061 gets a text, and takes only ids of its choices", "an Input Field"],
            Made,
        ),
    ]
}
