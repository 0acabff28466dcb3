use tokio::net::{TcpListener, ToSocketAddrs};

use super::{App, AppError};

/// Where the dev server looks for an app by default.
const PATH: &str = "/api/inngest";

impl App {
    /// Serves the app at `/api/inngest` of `address` until the process ends.
    ///
    /// It is [`build`](Self::build), [`Endpoint::into_router`](crate::Endpoint::into_router) and `axum::serve`. A
    /// program with routes of its own, or one that lets calls finish before it stops, uses those.
    pub async fn serve(self, address: impl ToSocketAddrs) -> Result<(), AppError> {
        let framework = self.framework.unwrap_or("axum");
        let endpoint = self.framework(framework).build()?;
        let listener = TcpListener::bind(address).await.map_err(AppError::Listen)?;
        let local = listener.local_addr().map_err(AppError::Listen)?;
        tracing::info!(address = %local, "serving Inngest functions");
        axum::serve(listener, endpoint.into_router(PATH)).await.map_err(AppError::Serve)
    }
}
