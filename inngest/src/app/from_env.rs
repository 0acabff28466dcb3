use super::{App, AppError};
use crate::{Client, Mode, ReqwestTransport, Settings, SettingsError};

impl App {
    /// The app `id` with the Inngest that the `INNGEST_*` variables name: see [`Settings::from_env`]. In cloud mode a
    /// signing key must be among them, because without one no signature can be verified.
    pub fn from_env(id: impl Into<String>) -> Result<Self, AppError> {
        Self::of_settings(id, Settings::from_env()?)
    }

    fn of_settings(id: impl Into<String>, settings: Settings) -> Result<Self, AppError> {
        if settings.mode == Mode::Cloud && settings.signing_keys.is_none() {
            return Err(SettingsError::of(
                "INNGEST_SIGNING_KEY",
                "is not set; copy it from the Inngest dashboard, or set INNGEST_DEV=1 for the dev server",
            )
            .into());
        }
        Ok(Self::new(id, Client::new(settings, ReqwestTransport::with_deadlines()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::{App, AppError};
    use crate::Settings;

    fn app(variables: &[(&str, &str)]) -> Result<App, AppError> {
        let variable = |name: &str| variables.iter().find(|(known, _)| *known == name);
        let settings =
            Settings::from_lookup(|name| variable(name).map(|(_, value)| (*value).to_owned()))?;
        App::of_settings("app", settings)
    }

    #[test]
    fn an_app_without_a_key_is_for_the_dev_server_alone() {
        assert!(app(&[("INNGEST_DEV", "1")]).is_ok());
        assert!(app(&[("INNGEST_SIGNING_KEY", "signkey-test-0123")]).is_ok());
        let error = app(&[]).err().unwrap().to_string();
        assert!(error.starts_with("INNGEST_SIGNING_KEY: is not set; "), "{error}");
    }

    #[test]
    fn every_mistake_is_reported_on_a_line_of_its_own() {
        let mistakes = app(&[("INNGEST_DEV", "off"), ("INNGEST_SERVE_PATH", "inngest")]);
        let text = mistakes.err().unwrap().to_string();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(lines[0].starts_with("INNGEST_DEV: must be 1, 0"), "{text}");
        assert!(lines[1].starts_with("INNGEST_SERVE_PATH: must begin"), "{text}");
    }
}
