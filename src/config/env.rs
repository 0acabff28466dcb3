//! Where variables come from. Tests bring a map; nothing ever changes the environment of the process.

use std::collections::BTreeMap;
use std::env::VarError;
use std::path::Path;

use super::ConfigError;

/// A set of variables.
pub(crate) trait Env {
    /// The variable `name` itself, as it is set.
    fn raw(&self, name: &str) -> Result<Option<String>, ConfigError>;

    /// The value of `name`: from the variable, or from the file that `NAME_FILE` points to, without one
    /// newline at its end. An empty value counts as not set.
    fn get(&self, name: &str) -> Result<Option<String>, ConfigError> {
        let file_variable = format!("{name}_FILE");
        let value = self.raw(name)?.filter(|value| !value.is_empty());
        let path = self.raw(&file_variable)?.filter(|path| !path.is_empty());
        let error = |problem| ConfigError { variable: file_variable.clone(), problem };
        match (value, path) {
            (Some(_), Some(_)) => {
                Err(error(format!("{name} is set too, and only one may be; remove one of the two")))
            }
            (value, None) => Ok(value),
            (None, Some(path)) => {
                let text = std::fs::read_to_string(&path).map_err(|cause| {
                    error(format!(
                        "the file {path} cannot be read ({cause}); mend the path or its rights"
                    ))
                })?;
                let value = text.strip_suffix('\n').unwrap_or(&text);
                let value = value.strip_suffix('\r').unwrap_or(value);
                match value {
                    "" => Err(error(format!(
                        "the file {path} is empty; put the value of {name} into it"
                    ))),
                    value => Ok(Some(value.to_owned())),
                }
            }
        }
    }
}

/// The environment of the process, and behind it a `.env` file: real variables win.
#[derive(Clone, Default)]
pub(crate) struct ProcessEnv {
    file: EnvMap,
}

impl ProcessEnv {
    /// Reads the file at `path`, if there is one.
    pub(crate) fn with_dotenv(path: &Path) -> Result<Self, ConfigError> {
        if !path.exists() {
            return Ok(Self::default());
        }
        Ok(Self { file: EnvMap::from_dotenv(path)? })
    }
}

impl Env for ProcessEnv {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    fn raw(&self, name: &str) -> Result<Option<String>, ConfigError> {
        match std::env::var(name) {
            Ok(value) => Ok(Some(value)),
            Err(VarError::NotPresent) => self.file.raw(name),
            Err(VarError::NotUnicode(_)) => Err(ConfigError {
                variable: name.to_owned(),
                problem: "the value is no UTF-8 text; set it again".to_owned(),
            }),
        }
    }
}

/// Variables in a map.
#[derive(Clone, Default)]
pub(crate) struct EnvMap(BTreeMap<String, String>);

impl EnvMap {
    /// The variables of a `.env` file, as the `dotenv` tools of other languages read it. The last one of a
    /// name wins.
    pub(crate) fn from_dotenv(path: &Path) -> Result<Self, ConfigError> {
        let variable = path.display().to_string();
        // Neither error is shown as it is: dotenvy's quotes the line, which may hold a secret.
        let lines = dotenvy::from_path_iter(path).map_err(|_| ConfigError {
            variable: variable.clone(),
            problem: "the file cannot be opened; mend its rights".to_owned(),
        })?;
        let mut variables = BTreeMap::new();
        let mut last = "the start".to_owned();
        for line in lines {
            let (name, value) = line.map_err(|_| {
                let problem = format!(
                    "what follows {last} cannot be read; write NAME=value, and values with spaces, \
                     quotes, # or $ in single quotes"
                );
                ConfigError { variable: variable.clone(), problem }
            })?;
            last.clone_from(&name);
            variables.insert(name, value);
        }
        Ok(Self(variables))
    }
}

impl<const N: usize> From<[(&str, &str); N]> for EnvMap {
    fn from(variables: [(&str, &str); N]) -> Self {
        variables.into_iter().collect()
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for EnvMap {
    fn from_iter<T: IntoIterator<Item = (&'a str, &'a str)>>(variables: T) -> Self {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self(variables.into_iter().map(owned).collect())
    }
}

impl Env for EnvMap {
    fn raw(&self, name: &str) -> Result<Option<String>, ConfigError> {
        Ok(self.0.get(name).cloned())
    }
}
