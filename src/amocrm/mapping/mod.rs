//! `CRM_FIELDS`: what of a lead, its contact and its company goes into which field of the record.

pub(super) mod values;

use std::collections::{BTreeMap, BTreeSet};

/// What of amoCRM goes where in the ERP, besides name and amount. Empty by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Mapping {
    /// The ERP's field for each source, in the order in which they were given.
    pub fields: Vec<(Source, String)>,
    /// The ERP's user for a user of amoCRM.
    pub users: BTreeMap<u64, u64>,
}

/// Something that amoCRM knows of a lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// `lead.id`
    LeadId,
    /// `lead.url`: the lead's page in amoCRM.
    LeadUrl,
    /// `lead.created_at`
    CreatedAt,
    /// `responsible`: the user who is responsible, as the ERP knows them.
    Responsible,
    /// `pipeline`: its name.
    Pipeline,
    /// `status`: its name.
    Status,
    /// `tags`: their names.
    Tags,
    /// `cf.123`: a field of the lead that the account has added, or one of its tracking data.
    Custom(u64),
    /// `contact.…`: of the main contact.
    Contact(Detail),
    /// `company.…`: of the company.
    Company(Detail),
}

/// Something that amoCRM knows of a contact or a company.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    /// `name`
    Name,
    /// `phone`: the first one.
    Phone,
    /// `email`: the first one.
    Email,
    /// `cf.123`
    Custom(u64),
}

impl Mapping {
    /// The ERP's fields for such sources.
    pub(crate) fn erp_fields(&self, of: impl Fn(Source) -> bool) -> BTreeSet<String> {
        let fields = self.fields.iter().filter(|(source, _)| of(*source));
        fields.map(|(_, field)| field.clone()).collect()
    }

    /// Whether something of the main contact is used.
    pub(super) fn uses_contact(&self) -> bool {
        self.fields.iter().any(|(source, _)| matches!(source, Source::Contact(_)))
    }

    /// Whether something of the company is used.
    pub(super) fn uses_company(&self) -> bool {
        self.fields.iter().any(|(source, _)| matches!(source, Source::Company(_)))
    }

    /// Whether names of pipelines or stages are used.
    pub(super) fn uses_pipeline(&self) -> bool {
        self.fields.iter().any(|(source, _)| matches!(source, Source::Pipeline | Source::Status))
    }

    /// The texts that `text` gives for the sources, by the ERP's field. What there is no text for is left out.
    pub(super) fn texts(
        &self,
        text: impl Fn(Source) -> Option<String>,
    ) -> BTreeMap<String, String> {
        let filled = self.fields.iter().filter_map(|(source, field)| {
            let text = text(*source).filter(|text| !text.trim().is_empty())?;
            Some((field.clone(), values::shortened(&text)))
        });
        filled.collect()
    }
}

impl Source {
    /// The sources that need no number, by their names.
    const PLAIN: [(&'static str, Self); 13] = [
        ("lead.id", Self::LeadId),
        ("lead.url", Self::LeadUrl),
        ("lead.created_at", Self::CreatedAt),
        ("responsible", Self::Responsible),
        ("pipeline", Self::Pipeline),
        ("status", Self::Status),
        ("tags", Self::Tags),
        ("contact.name", Self::Contact(Detail::Name)),
        ("contact.phone", Self::Contact(Detail::Phone)),
        ("contact.email", Self::Contact(Detail::Email)),
        ("company.name", Self::Company(Detail::Name)),
        ("company.phone", Self::Company(Detail::Phone)),
        ("company.email", Self::Company(Detail::Email)),
    ];

    /// The source of this name. The error says what is wrong with the name.
    pub(crate) fn named(name: &str) -> Result<Self, String> {
        if let Some((_, source)) = Self::PLAIN.iter().find(|(known, _)| *known == name) {
            return Ok(*source);
        }
        let (owner, number) = name.split_once("cf.").unwrap_or((name, ""));
        let id = number.parse().ok().filter(|id| *id > 0);
        let source = match owner {
            "" => id.map(Self::Custom),
            "contact." => id.map(|id| Self::Contact(Detail::Custom(id))),
            "company." => id.map(|id| Self::Company(Detail::Custom(id))),
            _ => {
                let known: Vec<_> = Self::PLAIN.iter().map(|(name, _)| *name).collect();
                return Err(format!(
                    "{name:?} is nothing that amoCRM has; there are {}, cf.123456, contact.cf.123456, company.cf.123456",
                    known.join(", ")
                ));
            }
        };
        source.ok_or_else(|| {
            format!("{name:?} lacks the number of its field; write {owner}cf.123456")
        })
    }
}
