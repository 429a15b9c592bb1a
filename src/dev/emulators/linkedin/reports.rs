//! Who may do what for an organisation, and what posts have got.
//! <https://learn.microsoft.com/en-us/linkedin/marketing/community-management/members/post-statistics>,
//! <https://learn.microsoft.com/en-us/linkedin/marketing/community-management/organizations/share-statistics>.

use super::api::{Answer, Call, Outcome};
use super::errors::{self, Refusal};
use super::state::Change;
use serde_json::{Value, json};

fn wrong(message: &str) -> Refusal {
    errors::plain(400, "ILLEGAL_ARGUMENT", message)
}

fn needs(call: &Call<'_>, name: &str, value: &str) -> Result<(), Refusal> {
    if call.raw(name) == Some(value) {
        return Ok(());
    }
    Err(wrong(&format!("The parameter {name} must be {value}.")))
}

fn all(elements: &[Value]) -> Answer {
    let paging = json!({"start": 0, "count": 10, "links": []});
    Answer::json(json!({"paging": paging, "elements": elements}), Change::Read)
}

/// `GET /rest/organizationAcls?q=roleAssignee`.
pub(super) fn acls(call: &Call<'_>) -> Outcome {
    needs(call, "q", "roleAssignee")?;
    if !call.has_scope("rw_organization_admin") {
        return Err(errors::denied("organizationAcls.FINDER-roleAssignee", call.version));
    }
    let is_asked = |role: &str| call.raw("role").is_none_or(|asked| asked == role);
    let is_approved = call.raw("state").is_none_or(|state| state == "APPROVED");
    let organizations = call.settings().organizations.iter().filter(|_| is_approved);
    let elements: Vec<Value> = organizations
        .filter_map(|(id, organization)| Some((id, organization.roles.get(call.account)?)))
        .filter(|(_, role)| is_asked(role))
        .map(|(id, role)| {
            json!({
                "organization": format!("urn:li:organization:{id}"),
                "role": role,
                "roleAssignee": format!("urn:li:person:{}", call.account),
                "state": "APPROVED",
            })
        })
        .collect();
    Ok(all(&elements))
}

/// `GET /rest/memberCreatorPostAnalytics?q=entity`.
pub(super) fn of_member(call: &Call<'_>) -> Outcome {
    needs(call, "q", "entity")?;
    let denied = || errors::denied("memberCreatorPostAnalytics.FINDER-entity", call.version);
    if !call.has_scope("r_member_postAnalytics") {
        return Err(denied());
    }
    let entity = call.raw("entity").unwrap_or_default();
    let inner = entity.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    let (kind, raw) = inner
        .and_then(|inner| inner.split_once(':'))
        .ok_or_else(|| wrong("The parameter entity must be (share:urn) or (ugc:urn)."))?;
    let urn = call.urn(raw, "parameter entity")?;
    let fits = match kind {
        "share" => urn.starts_with("urn:li:share:"),
        "ugc" => urn.starts_with("urn:li:ugcPost:"),
        _ => false,
    };
    if !fits {
        return Err(wrong("The parameter entity must be (share:urn) or (ugc:urn)."));
    }
    let post = call.state.own.standing(&urn).ok_or_else(|| errors::not_found(&urn))?;
    if post.author != format!("urn:li:person:{}", call.account) {
        return Err(denied());
    }
    let got = call.settings().metrics_of(&urn);
    let metric = call.raw("queryType").unwrap_or_default();
    let is_newer = call.version >= "202604";
    let count = match metric {
        "IMPRESSION" => got.impressions,
        "MEMBERS_REACHED" => got.members_reached,
        "RESHARE" => got.reshares,
        "REACTION" => got.reactions,
        "COMMENT" => got.comments,
        "POST_SAVE" if is_newer => got.saves,
        "POST_SEND" if is_newer => got.sends,
        "LINK_CLICKS" if is_newer => got.clicks,
        _ => return Err(wrong("The parameter queryType is not a metric of this version.")),
    };
    needs(call, "aggregation", "TOTAL")?;
    // A string since 202605, an object before.
    let metric_type = if call.version >= "202605" {
        Value::from(metric)
    } else {
        json!({"com.linkedin.adsexternalapi.memberanalytics.v1.CreatorPostAnalyticsMetricTypeV1": metric})
    };
    let target = json!({kind: urn});
    Ok(all(&[
        json!({"count": count, "metricType": metric_type, "targetEntity": target}),
    ]))
}

/// `GET /rest/memberFollowersCount?q=me`
/// (<https://learn.microsoft.com/en-us/linkedin/marketing/community-management/members/follower-statistics>).
pub(super) fn followers(call: &Call<'_>) -> Outcome {
    needs(call, "q", "me")?;
    if !call.has_scope("r_member_profileAnalytics") {
        return Err(errors::denied("memberFollowersCount.FINDER-me", call.version));
    }
    Ok(all(&[json!({"memberFollowersCount": call.settings().followers})]))
}

/// `GET /rest/organizationalEntityShareStatistics?q=organizationalEntity`.
pub(super) fn of_organization(call: &Call<'_>) -> Outcome {
    needs(call, "q", "organizationalEntity")?;
    let raw = call.raw("organizationalEntity").unwrap_or_default();
    let organization = call.urn(raw, "parameter organizationalEntity")?;
    let id = organization.strip_prefix("urn:li:organization:").unwrap_or_default();
    if call.role(id) != Some("ADMINISTRATOR") || !call.has_scope("rw_organization_admin") {
        let what = "organizationalEntityShareStatistics.FINDER-organizationalEntity";
        return Err(errors::denied(what, call.version));
    }
    let mut elements = Vec::new();
    for (parameter, kind, name) in [
        ("shares", "urn:li:share:", "share"),
        ("ugcPosts", "urn:li:ugcPost:", "ugcPost"),
    ] {
        let Some(list) = call.raw(parameter) else { continue };
        let list = list.strip_prefix("List(").and_then(|list| list.strip_suffix(')'));
        let list = list.ok_or_else(|| wrong(&format!("The parameter {parameter} must be a List(…).")))?;
        for raw in list.split(',') {
            let urn = call.urn(raw, &format!("parameter {parameter}"))?;
            if !urn.starts_with(kind) {
                return Err(wrong(&format!("`{urn}` does not belong into {parameter}.")));
            }
            let post = call.state.own.standing(&urn).filter(|post| post.author == organization);
            if let Some(statistics) = post.and_then(|_| statistics(call, &urn)) {
                let element =
                    json!({"organizationalEntity": organization, name: urn, "totalShareStatistics": statistics});
                elements.push(element);
            }
        }
    }
    Ok(all(&elements))
}

/// `None`: posts without any action are left out of the answer.
fn statistics(call: &Call<'_>, urn: &str) -> Option<Value> {
    let got = call.settings().metrics_of(urn);
    let actions = got.clicks + got.reactions + got.comments + got.reshares;
    if got.impressions + actions == 0 {
        return None;
    }
    #[allow(clippy::cast_precision_loss, reason = "the counts of a test are small")]
    let engagement = actions as f64 / got.impressions.max(1) as f64;
    Some(json!({
        "impressionCount": got.impressions,
        "uniqueImpressionsCount": got.members_reached,
        "clickCount": got.clicks,
        "likeCount": got.reactions,
        "commentCount": got.comments,
        "shareCount": got.reshares,
        "engagement": engagement,
    }))
}
