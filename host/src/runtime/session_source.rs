//! Where the sessions of a runner come from.

use std::sync::Arc;

use crate::runtime::oauth2::TokenSessions;
use crate::runtime::session::{Session, SessionSlot};

/// Where a runner's sessions come from.
pub(crate) enum SessionSource {
    /// The node's `authenticate` makes them.
    Made(Arc<SessionSlot>),
    /// The credential's fields are the session, or requests are signed instead of having one.
    Fixed(Arc<Session>),
    /// An access token is the session.
    Tokens(TokenSessions),
}
