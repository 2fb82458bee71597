//! The endpoints, by method and path. The paths follow the vendor's code, not its README.

use http::Method;
use serde::Serialize;

/// The API's endpoints that the simulator knows: two for tokens, and the operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are the operations'")]
pub enum Endpoint {
    Token,
    RefreshToken,
    GetLoyaltyPrograms,
    GetMemberList,
    GetMember,
    MemberAdmission,
    CreateConsumer,
    ImportConsumerEventData,
    QueryConsumer,
    UpdateConsumer,
    BindConsumerThirdAccount,
    QueryThirdAccountsByUnionId,
    GetTransactionList,
    GetTransactionDetail,
    SyncTransaction,
    GetPointsAccount,
    GetPointsRecords,
    AdjustPoints,
    BatchSyncProduct,
    SaveStore,
}

impl Endpoint {
    /// Every endpoint, in order of its discriminant.
    pub(crate) const ALL: &[Self] = &[
        Self::Token,
        Self::RefreshToken,
        Self::GetLoyaltyPrograms,
        Self::GetMemberList,
        Self::GetMember,
        Self::MemberAdmission,
        Self::CreateConsumer,
        Self::ImportConsumerEventData,
        Self::QueryConsumer,
        Self::UpdateConsumer,
        Self::BindConsumerThirdAccount,
        Self::QueryThirdAccountsByUnionId,
        Self::GetTransactionList,
        Self::GetTransactionDetail,
        Self::SyncTransaction,
        Self::GetPointsAccount,
        Self::GetPointsRecords,
        Self::AdjustPoints,
        Self::BatchSyncProduct,
        Self::SaveStore,
    ];
}

/// Why no endpoint was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoRoute {
    Path,
    Method,
}

/// A second prefix for every endpoint, like the vendor's production URL.
const PREFIX: &str = "/openapi-prod";

/// The path without [`PREFIX`].
pub(crate) fn strip_prefix(path: &str) -> &str {
    match path.strip_prefix(PREFIX) {
        Some(rest) if rest.starts_with('/') => rest,
        _ => path,
    }
}

/// Returns the endpoint of a path without prefix, and the path's parameter as sent, still percent-encoded.
pub(crate) fn resolve<'a>(method: &Method, path: &'a str) -> Result<(Endpoint, &'a str), NoRoute> {
    if let Some(found) = find(method, path) {
        return Ok(found);
    }
    let elsewhere = [Method::GET, Method::POST, Method::PUT]
        .iter()
        .any(|other| find(other, path).is_some());
    Err(if elsewhere { NoRoute::Method } else { NoRoute::Path })
}

fn find<'a>(method: &Method, path: &'a str) -> Option<(Endpoint, &'a str)> {
    let mut segments = path.strip_prefix("/v1/")?.split('/');
    let first = segments.next()?;
    let rest = (segments.next(), segments.next(), segments.next());
    let (endpoint, parameter) = match (method.as_str(), first, rest) {
        ("POST", "auth", (Some("token"), None, _)) => (Endpoint::Token, None),
        ("POST", "auth", (Some("refreshToken"), None, _)) => (Endpoint::RefreshToken, None),
        ("GET", "member", (Some("loyaltyprograms"), None, _)) => (Endpoint::GetLoyaltyPrograms, None),
        ("GET", "member", (Some("list"), Some(code), None)) => (Endpoint::GetMemberList, Some(code)),
        ("POST", "member", (Some("admission"), None, _)) => (Endpoint::MemberAdmission, None),
        ("GET", "member", (Some(card), None, _)) => (Endpoint::GetMember, Some(card)),
        ("POST", "consumer", (None, ..)) => (Endpoint::CreateConsumer, None),
        ("POST", "consumer", (Some("event"), Some("data"), None)) => {
            (Endpoint::ImportConsumerEventData, None)
        }
        ("GET", "consumer", (Some("info"), None, _)) => (Endpoint::QueryConsumer, None),
        ("PUT", "consumer", (Some("updateInfo"), Some(code), None)) => (Endpoint::UpdateConsumer, Some(code)),
        ("POST", "consumer", (Some("binding"), None, _)) => (Endpoint::BindConsumerThirdAccount, None),
        ("GET", "consumer", (Some("thirdaccounts"), Some(id), None)) => {
            (Endpoint::QueryThirdAccountsByUnionId, Some(id))
        }
        ("POST", "transactions", (Some("page"), Some(code), None)) => {
            (Endpoint::GetTransactionList, Some(code))
        }
        ("POST", "transactions", (Some("sync"), None, _)) => (Endpoint::SyncTransaction, None),
        ("POST", "transactions", (Some(code), None, _)) => (Endpoint::GetTransactionDetail, Some(code)),
        ("GET", "points", (Some("pointsAccount"), Some(card), None)) => {
            (Endpoint::GetPointsAccount, Some(card))
        }
        ("GET", "points", (Some("pointsRecords"), Some(code), None)) => {
            (Endpoint::GetPointsRecords, Some(code))
        }
        ("POST", "points", (Some("adjustment"), None, _)) => (Endpoint::AdjustPoints, None),
        ("POST", "masterdata", (Some("product"), Some("batchSync"), None)) => {
            (Endpoint::BatchSyncProduct, None)
        }
        ("POST", "masterdata", (Some("store"), None, _)) => (Endpoint::SaveStore, None),
        _ => return None,
    };
    // An empty segment is not a value: `/v1/member/` names no member.
    if parameter == Some("") {
        None
    } else {
        Some((endpoint, parameter.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn discriminants_are_positions() {
        for (index, endpoint) in Endpoint::ALL.iter().enumerate() {
            assert_eq!(*endpoint as usize, index);
        }
    }

    #[test]
    fn an_encoded_slash_stays_in_its_segment() {
        assert_eq!(
            resolve(&Method::GET, "/v1/member/A%2FB"),
            Ok((Endpoint::GetMember, "A%2FB"))
        );
        assert_eq!(resolve(&Method::GET, "/v1/member/A/B"), Err(NoRoute::Path));
    }

    #[test]
    fn a_wrong_method_is_told_from_a_wrong_path() {
        assert_eq!(
            resolve(&Method::GET, "/v1/points/adjustment"),
            Err(NoRoute::Method)
        );
        assert_eq!(resolve(&Method::DELETE, "/v1/member/M1"), Err(NoRoute::Method));
        assert_eq!(resolve(&Method::GET, "/v1/member/"), Err(NoRoute::Path));
        assert_eq!(resolve(&Method::GET, "/v2/member/M1"), Err(NoRoute::Path));
    }

    #[test]
    fn the_prefix_is_a_whole_segment() {
        assert_eq!(strip_prefix("/openapi-prod/v1/x"), "/v1/x");
        assert_eq!(strip_prefix("/openapi-product/v1/x"), "/openapi-product/v1/x");
    }
}
