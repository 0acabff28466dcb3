//! How the fake ERP is set up.

/// Which Rukovoditel this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ErpVersion {
    /// 3.4.4: reads forms only; errors are HTTP 200.
    V344,
    /// 3.6.2: reads JSON and forms; the code of an error becomes the HTTP status.
    #[default]
    V362,
}

/// Which PHP runs it. What differs is an error whose code is a word, as 3.6.2 has them for access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Php {
    /// A notice at most; the error is answered, with HTTP 200.
    Seven,
    /// A word cannot become an HTTP status: an empty 500.
    #[default]
    Eight,
}

/// How the fake ERP is set up. The default is what the demo uses.
#[derive(Debug, Clone)]
pub struct FakeErpSettings {
    /// Its version.
    pub version: ErpVersion,
    /// The PHP that runs it.
    pub php: Php,
    /// PHP's `display_errors`: errors and notices are printed, and what is an empty 500 without it is a page with HTTP 200.
    pub display_errors: bool,
    /// The API is switched on.
    pub is_enabled: bool,
    /// The API key.
    pub key: String,
    /// The caller's address is among those that may call, or there is no such list.
    pub address_is_allowed: bool,
    /// The API user.
    pub username: String,
    /// The API user's password.
    pub password: String,
    /// The API user's account is active.
    pub is_active: bool,
    /// The API user is an administrator, who may do everything.
    pub is_administrator: bool,
    /// The user's group has "View" for the entity. It has not where it has "View Assigned Only".
    pub may_view: bool,
    /// The user's group has "Create" for the entity.
    pub may_create: bool,
    /// The user's group has "Update" for the entity.
    pub may_update: bool,
    /// The one entity.
    pub entity_id: u64,
    /// The entity belongs to another one, and each record to a record of that.
    pub is_sub_entity: bool,
    /// The entity's fields.
    pub fields: Vec<ErpField>,
    /// Fields of other entities, for instance `field_900`.
    pub fields_elsewhere: Vec<String>,
    /// A trap of the real ERP: `select` silently ignores its filters and returns everything.
    pub ignores_filters: bool,
    /// A rule for visible records hides all of them from the API user.
    pub hides_rows: bool,
}

impl Default for FakeErpSettings {
    fn default() -> Self {
        let (name, amount, marker) = ("field_1039", "field_1040", "field_1041");
        Self {
            version: ErpVersion::default(),
            php: Php::default(),
            display_errors: false,
            is_enabled: true,
            key: "fake-erp-key".to_owned(),
            address_is_allowed: true,
            username: "fake-erp-user".to_owned(),
            password: "fake-erp-password".to_owned(),
            is_active: true,
            is_administrator: false,
            may_view: true,
            may_create: true,
            may_update: true,
            entity_id: 70,
            is_sub_entity: false,
            fields: vec![ErpField::text(name), ErpField::numeric(amount), ErpField::text(marker)],
            fields_elsewhere: Vec::new(),
            ignores_filters: false,
            hides_rows: false,
        }
    }
}

impl FakeErpSettings {
    /// The entity has this field, in place of one of the same name.
    pub fn set_field(&mut self, field: ErpField) {
        self.remove_field(&field.name);
        self.fields.push(field);
    }

    /// The entity has no such field.
    pub fn remove_field(&mut self, name: &str) {
        self.fields.retain(|known| known.name != name);
    }

    /// The ERP keeps the marker field unique. By default it does not: this ERP hides no mistake of the service.
    #[must_use]
    pub fn with_unique_marker(mut self) -> Self {
        self.set_field(ErpField::text("field_1041").unique());
        self
    }
}

/// A field of the entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErpField {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) number_format: String,
    pub(super) is_unique: bool,
    pub(super) is_required: bool,
}

impl ErpField {
    /// A field of a type of the ERP, for instance `fieldtype_dropdown`.
    pub fn of_type(name: &str, kind: &str) -> Self {
        let (name, kind) = (name.to_owned(), kind.to_owned());
        Self { name, kind, number_format: String::new(), is_unique: false, is_required: false }
    }

    /// "Input Field".
    pub fn text(name: &str) -> Self {
        Self::of_type(name, "fieldtype_input")
    }

    /// "Input Numeric Field", with the number format that the ERP gives it.
    pub fn numeric(name: &str) -> Self {
        Self::of_type(name, "fieldtype_input_numeric").formatted("2/./*")
    }

    /// With this number format: decimals, decimal separator, thousands separator; `*` stands for none.
    #[must_use]
    pub fn formatted(mut self, number_format: &str) -> Self {
        number_format.clone_into(&mut self.number_format);
        self
    }

    /// "Unique Field: Yes".
    #[must_use]
    pub fn unique(mut self) -> Self {
        self.is_unique = true;
        self
    }

    /// "Is Required?".
    #[must_use]
    pub fn required(mut self) -> Self {
        self.is_required = true;
        self
    }

    pub(super) fn id(&self) -> &str {
        column(&self.name)
    }

    pub(super) fn is_numeric(&self) -> bool {
        self.kind.starts_with("fieldtype_input_numeric")
    }
}

/// Filters and replies call a field by its bare number.
pub(super) fn column(field: &str) -> &str {
    field.strip_prefix("field_").unwrap_or(field)
}
