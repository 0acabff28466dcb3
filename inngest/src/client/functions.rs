use bytes::Bytes;
use http::Method;
use serde::Deserialize;

use super::registration_error::{REGISTER_LIMIT, RegistrationError, reason};
use super::{Client, path, retry_after};

#[derive(Deserialize)]
struct Known {
    id: String,
}

impl Client {
    /// The ids of the functions that Inngest knows of the app `app`, each with the app's id before it; none where it does
    /// not know the app. It takes 8 seconds at most.
    pub async fn registered_functions(&self, app: &str) -> Result<Vec<String>, RegistrationError> {
        let path = path(&["v1", "apps", app, "functions"], None);
        let request = self.api(Method::GET, &path, Bytes::new(), &[]);
        let response = tokio::time::timeout(REGISTER_LIMIT, request)
            .await
            .map_err(|_| RegistrationError::Silent)??;
        let (status, body) = (response.status(), response.body());
        if !status.is_success() {
            let retry_after = retry_after(response.headers(), self.clock().now());
            return Err(RegistrationError::NotTold { status, reason: reason(body), retry_after });
        }
        // Go writes an empty list as null.
        let known: Option<Vec<Known>> =
            serde_json::from_slice(body).map_err(|_| RegistrationError::NotInngest { status })?;
        Ok(known.into_iter().flatten().map(|function| function.id).collect())
    }
}
