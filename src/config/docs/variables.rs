//! What each variable means, in the words of `.env.example` and `docs/configuration.md`.

use super::Value::{Default, Example, Secret, Set, Unset};
use super::{Group, Variable};

const fn variable(name: &'static str, value: super::Value, meaning: &'static str) -> Variable {
    Variable { name, value, meaning }
}

pub(super) const GROUPS: [Group; 4] = [
    Group { title: "Inngest", about: "", variables: &INNGEST },
    Group {
        title: "amoCRM",
        about: "OAuth, or a long-lived token, or nothing of this group.",
        variables: &AMOCRM,
    },
    Group {
        title: "The ERP (Rukovoditel)",
        about: "Set `CRM_API_URL`, `CRM_API_KEY`, `CRM_API_USERNAME` and `CRM_API_PASSWORD` together. Production needs them.",
        variables: &ERP,
    },
    Group { title: "The service itself", about: "", variables: &SERVICE },
];

const INNGEST: [Variable; 11] = [
    variable(
        "INNGEST_DEV",
        Set("1"),
        "1: development, calls are not signed. 0 or not set: production. An address: development, with the dev server there.",
    ),
    variable(
        "INNGEST_EVENT_KEY",
        Secret(""),
        "The key for sending events, from the Inngest dashboard. Required in production.",
    ),
    variable(
        "INNGEST_SIGNING_KEY",
        Secret("signkey-prod-0123456789abcdef"),
        "The key that signs the calls, from the Inngest dashboard. Required in production.",
    ),
    variable(
        "INNGEST_SIGNING_KEY_FALLBACK",
        Secret(""),
        "The previous signing key, during a key rotation.",
    ),
    variable("INNGEST_ENV", Unset, "The branch environment in Inngest Cloud."),
    variable(
        "INNGEST_BASE_URL",
        Example("http://inngest:8288"),
        "The address of a self-hosted Inngest, for its API and for events.",
    ),
    variable("INNGEST_API_BASE_URL", Unset, "The address of its API, if it differs."),
    variable("INNGEST_EVENT_API_BASE_URL", Unset, "The address for events, if it differs."),
    variable(
        "INNGEST_SERVE_ORIGIN",
        Example("https://deals.example.org"),
        "The public address of this service. With it, the service registers itself with Inngest. `amocrm subscribe` and \
         `doctor` also use it as the address that amoCRM calls; without it they use the host of AMOCRM_REDIRECT_URI.",
    ),
    variable(
        "INNGEST_SERVE_PATH",
        Default("/api/inngest"),
        "The path at which Inngest reaches this service, if a proxy changes it.",
    ),
    variable(
        "INNGEST_STREAMING",
        Default("0"),
        "1: a call that takes longer than 3 seconds is answered early, for gateways that cut silent connections.",
    ),
];

const AMOCRM: [Variable; 10] = [
    variable(
        "AMOCRM_SUBDOMAIN",
        Example("example"),
        "The first part of the account's address, https://example.amocrm.ru.",
    ),
    variable(
        "AMOCRM_BASE_URL",
        Example("https://example.kommo.com"),
        "The whole address instead, for kommo.com and others.",
    ),
    variable(
        "AMOCRM_ACCESS_TOKEN",
        Secret(""),
        "The long-lived token of a private integration. With it the OAuth variables are not needed.",
    ),
    variable("AMOCRM_CLIENT_ID", Unset, "OAuth: the integration's id."),
    variable("AMOCRM_CLIENT_SECRET", Secret(""), "OAuth: the integration's secret."),
    variable(
        "AMOCRM_REDIRECT_URI",
        Example("https://deals.example.org/oauth/callback"),
        "OAuth: the redirect address, byte for byte as in the integration's settings.",
    ),
    variable(
        "AMOCRM_REFRESH_TOKEN",
        Secret(""),
        "OAuth: the first refresh token, if there is no consent yet. It is used once; later ones are kept in the database. A \
         new value is used at the next start, in place of the stored tokens.",
    ),
    variable(
        "AMOCRM_ACCOUNT_ID",
        Example("12345678"),
        "The account's id. With it webhooks of other accounts are ignored.",
    ),
    variable(
        "AMOCRM_WEBHOOK_SECRET",
        Secret(""),
        "Webhooks must carry it as `?secret=`. Required in production: at least 16 random letters and digits. During a \
         change: two values, comma-separated.",
    ),
    variable(
        "AMOCRM_TRIGGER_STATUSES",
        Example("1234567:142"),
        "Only leads that enter these stages create a deal: pipeline:status, comma-separated. Also turns on reconciliation. \
         Without it a lead gets its record when it is created, still empty.",
    ),
];

const ERP: [Variable; 15] = [
    variable(
        "CRM_API_URL",
        Example("https://erp.example.org/api/rest.php"),
        "The address of its API.",
    ),
    variable("CRM_API_KEY", Secret(""), "The key of its API."),
    variable("CRM_API_USERNAME", Unset, "The user who creates the records."),
    variable("CRM_API_PASSWORD", Secret(""), "The user's password."),
    variable(
        "CRM_BODY",
        Default("json"),
        "The format of requests: json, or form for old versions.",
    ),
    variable("CRM_ENTITY_ID", Default("70"), "The entity in which records are created."),
    variable("CRM_FIELD_DEAL_NAME", Default("field_1039"), "The field for the deal's name."),
    variable("CRM_FIELD_AMOUNT", Default("field_1040"), "The field for the deal's amount."),
    variable(
        "CRM_FIELD_EXTERNAL_ID",
        Example("field_1050"),
        "A text field that the ERP keeps unique (\"Input Field\", \"Unique Field: Yes\"). It holds the lead's id, so that a \
         record can be looked up and is not created twice. Not a numeric one: the ERP shows it formatted, as in \
         45721099.00. `doctor` checks it.",
    ),
    variable(
        "CRM_FIELDS",
        Example(
            "lead.url:field_1060,responsible:field_1051,status:field_1052,contact.name:field_1056,\
             contact.phone:field_1057,company.name:field_1059,cf.1278898021:field_1061",
        ),
        "More fields of the record: source:field, comma-separated; docs/operations.md lists the sources. Such a field may \
         also be named in the `fields` of crm/create-deal.",
    ),
    variable(
        "CRM_USERS",
        Example("504141:12"),
        "Who is who, for `responsible`: amocrm-user:erp-user, comma-separated.",
    ),
    variable(
        "CRM_CREATED_BY",
        Example("12"),
        "The ERP's user in whose name records are made, instead of the user above. Needs Rukovoditel 3.6.2.",
    ),
    variable(
        "CRM_DEDUPE",
        Default("lead"),
        "lead: one record for each lead, for ever. event: one record for each webhook.",
    ),
    variable(
        "CRM_ON_CHANGE",
        Default("report"),
        "What is done where a lead has changed after its record was made. report: it is listed by `prometei-flow deals`. \
         update: what amoCRM has is written into the record. ignore: nothing.",
    ),
    variable(
        "DEALS_RESEND_AFTER",
        Default("15m"),
        "A deal that Inngest has taken and of which nothing was heard for so long is sent again; then after 30 min, 1 h, 2 h \
         and every 6 h. For example 5s, 15m or 2h.",
    ),
];

const SERVICE: [Variable; 8] = [
    variable("HOST", Default("127.0.0.1"), "The address to listen on; 0.0.0.0 for all."),
    variable("PORT", Default("3000"), "The port to listen on."),
    variable(
        "ADMIN_ADDR",
        Default("127.0.0.1:3001"),
        "The listener for the status page, readiness and metrics. Never make it public.",
    ),
    variable(
        "ADMIN_TOKEN",
        Secret(""),
        "What the status page and metrics ask for, as the password or as a bearer token: where other machines reach the \
         listener. At least 16 random letters and digits.",
    ),
    variable(
        "ADMIN_SHOW_DEALS",
        Default("0"),
        "1: the status page shows names and amounts of deals.",
    ),
    variable(
        "DATABASE_URL",
        Default("sqlite://prometei-flow.db"),
        "The database: a file, or `postgres://user:password@host/database` for several replicas (TLS with \
         `?sslmode=verify-full&sslrootcert=<file>`). A pooler before it must be in session mode. The password in it is a \
         secret.",
    ),
    variable(
        "LOG_FORMAT",
        Example("pretty"),
        "The format of the log: pretty or json. Default: pretty on a terminal, else json.",
    ),
    variable("RUST_LOG", Default("info"), "Which log lines are written."),
];
