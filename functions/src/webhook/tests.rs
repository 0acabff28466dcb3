use serde_json::{Map, Value, json};

use super::{Action, AmoCrmWebhook, Change, Fields, LeadFilter, Parsed, leads_in_event};

/// Reads pairs as people write them down: decoded, joined by `&`.
fn parse(body: &str) -> Parsed {
    filtered(body, &LeadFilter::default())
}

fn filtered(body: &str, filter: &LeadFilter) -> Parsed {
    fields(body, usize::MAX).parsed(filter)
}

fn fields(body: &str, limit: usize) -> Fields {
    let mut fields = Fields::new(limit);
    for (key, value) in body.split('&').filter_map(|pair| pair.split_once('=')) {
        fields.add(key, value);
    }
    fields
}

fn ids(parsed: &Parsed) -> Vec<(Action, u64)> {
    parsed.leads.iter().map(|lead| (lead.action.unwrap(), lead.lead_id)).collect()
}

#[test]
fn a_body_that_reached_inngest_without_our_intake_is_filtered_in_the_function() {
    let body = data(json!({ "data": {
        "leads[status][0][id]": ["1"], "leads[status][0][pipeline_id]": ["9"],
        "leads[status][0][status_id]": ["142"], "account[id]": ["7"],
    }}));
    let filter = |account_id, stage| LeadFilter { account_id, trigger_statuses: Some(vec![stage]) };
    let ids = |filter| leads_in_event(&body, &filter).map(|leads| leads.len());
    assert_eq!(ids(filter(Some(7), (9, 142))), Ok(1));
    assert_eq!(ids(filter(Some(8), (9, 142))), Ok(0), "another account");
    assert_eq!(ids(filter(None, (9, 143))), Ok(0), "another stage");
    let ours = data(json!({ "leadId": 1, "accountId": 7 }));
    assert_eq!(leads_in_event(&ours, &filter(Some(8), (9, 143))).map(|leads| leads.len()), Ok(1));
}

#[test]
fn a_stage_change_says_which_lead_moved_from_where_to_where() {
    let parsed = parse(
        "leads[status][0][id]=45721053&leads[status][0][status_id]=77186758\
         &leads[status][0][pipeline_id]=9679730&leads[status][0][old_status_id]=77186754\
         &leads[status][0][old_pipeline_id]=9679730&account[id]=32452514&account[subdomain]=oooprometei",
    );
    let moved = AmoCrmWebhook {
        lead_id: 45_721_053,
        account_id: Some(32_452_514),
        subdomain: Some("oooprometei".into()),
        pipeline_id: Some(9_679_730),
        status_id: Some(77_186_758),
        old_pipeline_id: Some(9_679_730),
        old_status_id: Some(77_186_754),
        action: Some(Action::Status),
        received_at: None,
        delivery_id: None,
    };
    assert_eq!(parsed, Parsed { leads: vec![moved], is_webhook: true, ..Parsed::default() });
}

#[test]
fn an_older_body_names_the_account_only_in_the_lead() {
    let parsed = parse(
        "leads[status][0][id]=31926520&leads[status][0][account_id]=10216991\
         &leads[status][0][custom_fields][0][id]=1119321\
         &leads[status][0][custom_fields][0][values][0][value]=some text&account[subdomain]=test000002",
    );
    assert_eq!(parsed.leads[0].account_id, Some(10_216_991));
    assert_eq!(ids(&parsed), [(Action::Status, 31_926_520)]);
}

#[test]
fn every_lead_and_action_counts_in_order_of_action_then_index() {
    let parsed = parse(
        "leads[restore][3][id]=6&leads[add][10][id]=5&leads[add][9][id]=4&leads[status][7][id]=2\
         &leads[status][1][id]=1&leads[status][30][id]=3&account[id]=1",
    );
    let expected = [
        (Action::Status, 1),
        (Action::Status, 2),
        (Action::Status, 3),
        (Action::Add, 4),
        (Action::Add, 5),
        (Action::Restore, 6),
    ];
    assert_eq!(ids(&parsed), expected);
}

#[test]
fn a_lead_under_several_actions_is_one_lead() {
    let parsed = parse("leads[add][0][id]=7&leads[restore][0][id]=7&leads[status][0][id]=7");
    assert_eq!(ids(&parsed), [(Action::Status, 7)]);
}

#[test]
fn other_actions_and_entities_are_webhooks_that_do_not_concern_us() {
    for body in [
        "leads[note][0][id]=30052055&leads[responsible][0][id]=7&account[id]=16700680",
        "unsorted[delete][0][action]=decline&unsorted[delete][0][accept_result][leads][0]=2132111",
        "unsorted[add][0][accept_result][leads][0]=1&unsorted[delete][0][action]=accept",
        "task[update][0][0][id]=5&contacts[add][0][id]=6",
    ] {
        let parsed = parse(body);
        assert!(parsed.is_webhook && parsed.leads.is_empty(), "{body}");
        assert_eq!(parsed.problems, [], "{body}");
    }
}

#[test]
fn changes_make_no_deal_and_are_told_apart() {
    let (changed, deleted) =
        (|lead_id| Change { lead_id, deleted: false }, |lead_id| Change { lead_id, deleted: true });
    for (body, changes) in [
        (
            "leads[update][0][id]=7&leads[update][0][name]=TEST&leads[update][1][id]=8",
            vec![changed(7), changed(8)],
        ),
        ("leads[delete][0][id]=7&leads[delete][0][status_id]=17944873", vec![deleted(7)]),
        ("leads[delete]=7&account[id]=1", vec![deleted(7)]),
        ("leads[delete][0]=7", vec![deleted(7)]),
        ("leads[update][0][id]=7&leads[delete][0][id]=7", vec![changed(7), deleted(7)]),
        ("leads[update][0][id]=x&leads[update][1][name]=TEST", vec![]),
    ] {
        let parsed = parse(body);
        assert_eq!(parsed.changes, changes.into_iter().collect(), "{body}");
        assert!(parsed.is_webhook && parsed.leads.is_empty(), "{body}");
        assert_eq!((parsed.problems.len(), parsed.filtered_out), (0, 0), "{body}");
    }
    // Whatever stage they name: the deal is there, or it is not.
    let elsewhere = LeadFilter { account_id: Some(1), trigger_statuses: Some(vec![(9, 142)]) };
    let body =
        "leads[update][0][id]=7&leads[update][0][status_id]=5&leads[update][0][pipeline_id]=9";
    assert_eq!(filtered(body, &elsewhere).changes, [changed(7)].into());
    let foreign = format!("{body}&account[id]=2");
    assert!(filtered(&foreign, &elsewhere).changes.is_empty());
    let both = parse("leads[update][0][id]=7&leads[status][0][id]=7");
    assert_eq!((ids(&both), both.changes), (vec![(Action::Status, 7)], [changed(7)].into()));
}

#[test]
fn changes_take_no_room_of_leads_that_make_a_deal() {
    let mut fields = Fields::new(2);
    for n in 0..3 {
        fields.add(&format!("leads[update][{n}][id]"), &format!("{}", n + 1));
    }
    fields.add("leads[status][0][id]", "9");
    let parsed = fields.parsed(&LeadFilter::default());
    assert_eq!(
        (ids(&parsed), parsed.changes.len(), parsed.cut),
        (vec![(Action::Status, 9)], 2, true)
    );
}

#[test]
fn what_has_no_brackets_is_no_webhook() {
    for body in
        ["", "hello=1", "id=45721053&leads=1", "leads[status=1", "leads]status[=1", "{\"a\":1}="]
    {
        assert_eq!(parse(body), Parsed::default(), "{body}");
    }
}

#[test]
fn a_subdomain_that_is_none_is_left_out() {
    let long = "x".repeat(64);
    for none in ["", long.as_str()] {
        let body = format!("leads[add][0][id]=1&account[subdomain]={none}&account[id]=");
        let leads = parse(&body).leads;
        assert_eq!(
            (leads.len(), leads[0].subdomain.as_ref(), leads[0].account_id),
            (1, None, None)
        );
    }
}

#[test]
fn a_bad_entry_is_reported_and_does_not_drop_the_others() {
    let parsed = parse(
        "leads[status][0][id]=abc&leads[status][1][id]=1&leads[status][2][name]=x&leads[status][3][id]=0\
         &leads[status][4][id]=-5&leads[status][5][id]=99999999999999999999&leads[status][6][id]=\
         &leads[status][7][id]=2&leads[status][8][id]=3&leads[status][8][id]=4",
    );
    assert_eq!(ids(&parsed), [(Action::Status, 1), (Action::Status, 2)]);
    let problems: Vec<_> = parsed.problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        [
            "leads[status][0]: its id is no positive number",
            "leads[status][2]: it has no id",
            "leads[status][3]: its id is no positive number",
            "leads[status][4]: its id is no positive number",
            "leads[status][5]: its id is no positive number",
            "leads[status][6]: its id is no positive number",
            "leads[status][8]: it has two different ids",
        ]
    );
}

#[test]
fn levels_may_be_doubled_absent_or_wrapped_in_a_list() {
    assert_eq!(ids(&parse("leads[add][0][0][id]=1&leads[add][1][0][id]=2")).len(), 2);
    assert_eq!(ids(&parse("leads[add][id]=1&leads[add][tags][0][id]=9")), [(Action::Add, 1)]);
    assert_eq!(ids(&parse("leads[add][0][id][0]=1&leads[add][1][id][]=2")).len(), 2);
    let deeper = parse("leads[add][0][id]=1&leads[add][0][id][id]=5&leads[add][0][tags][0][id]=7");
    assert_eq!((ids(&deeper), deeper.problems.len()), (vec![(Action::Add, 1)], 0));
}

#[test]
fn stages_are_compared_as_pairs_and_other_accounts_are_ignored() {
    let filter = LeadFilter { account_id: Some(1), trigger_statuses: Some(vec![(9, 142)]) };
    let accepted = |body: &str| {
        let parsed = filtered(body, &filter);
        (parsed.leads.len(), parsed.filtered_out)
    };
    let at = |pipeline, status, account: &str| {
        format!(
            "leads[status][0][id]=5&leads[status][0][pipeline_id]={pipeline}\
             &leads[status][0][status_id]={status}{account}"
        )
    };
    assert_eq!(accepted(&at(9, 142, "&account[id]=1")), (1, 0));
    assert_eq!(accepted(&at(9, 142, "")), (1, 0), "an older body names no account");
    assert_eq!(accepted(&at(9, 142, "&account[id]=2")), (0, 1));
    assert_eq!(accepted(&at(8, 142, "&account[id]=1")), (0, 1), "won in another pipeline");
    assert_eq!(accepted("leads[restore][0][id]=5&account[id]=2"), (0, 1), "no stage, not ours");
}

#[test]
fn an_entry_that_names_no_stage_is_not_in_another_stage() {
    let filter = LeadFilter { account_id: None, trigger_statuses: Some(vec![(9, 142)]) };
    for body in [
        "leads[restore][0][id]=5",
        "leads[status][0][id]=5&leads[status][0][status_id]=142",
        "leads[status][0][id]=5&leads[status][0][status_id]=&leads[status][0][pipeline_id]=9",
        "leads[status][0][id]=5&leads[status][0][status_id]=x&leads[status][0][pipeline_id]=9",
    ] {
        let parsed = filtered(body, &filter);
        assert_eq!((parsed.leads.len(), parsed.leads[0].stage()), (1, None), "{body}");
    }
}

#[test]
fn of_two_entries_of_a_lead_the_one_that_names_its_stage_counts() {
    let filter = LeadFilter { account_id: None, trigger_statuses: Some(vec![(9, 142)]) };
    let body = "leads[status][0][id]=5&leads[add][0][id]=5&leads[add][0][pipeline_id]=9\
                &leads[add][0][status_id]=142&leads[restore][0][id]=5";
    let parsed = filtered(body, &filter);
    assert_eq!((parsed.leads.len(), parsed.leads[0].stage()), (1, Some((9, 142))));
}

#[test]
fn what_was_accepted_from_unsorted_names_leads() {
    let parsed = parse(
        "unsorted[delete][1][accept_result][leads][0]=3&unsorted[delete][1][accept_result][leads][1]=4\
         &unsorted[delete][1][action]=accept&unsorted[delete][2][accept_result][leads][]=5\
         &unsorted[delete][3][action]=decline&unsorted[delete][3][accept_result][leads][0]=6\
         &unsorted[delete][4][action]=accept&unsorted[delete][4][accept_result][contacts][0]=7\
         &unsorted[delete][5][action]=accept&unsorted[delete][5][accept_result][leads][0]=x\
         &account[id]=1312313",
    );
    assert_eq!(ids(&parsed), [3, 4, 5].map(|lead| (Action::Accept, lead)));
    assert_eq!((parsed.leads[0].account_id, parsed.leads[0].stage()), (Some(1_312_313), None));
    let problems: Vec<_> = parsed.problems.iter().map(ToString::to_string).collect();
    assert_eq!(problems, ["unsorted[delete][5]: its id is no positive number"]);
    assert_eq!(serde_json::to_value(&parsed.leads[0]).unwrap()["action"], "accept");
}

#[test]
fn brackets_may_be_encoded_twice() {
    let parsed = parse("leads%5Bstatus%5D%5B0%5D%5Bid%5D=5&leads%5bstatus%5d%5b1%5d%5bid%5d=6");
    assert_eq!(ids(&parsed), [(Action::Status, 5), (Action::Status, 6)]);
}

#[test]
fn so_many_entries_are_read_and_whole() {
    let body = "leads[add][0][id]=1&leads[add][1][id]=2&leads[add][2][id]=3&leads[add][0][id]=1\
                &leads[add][1][status_id]=142&leads[add][1][pipeline_id]=9";
    for (limit, leads, cut) in [(2, 2, true), (3, 3, false)] {
        let parsed = fields(body, limit).parsed(&LeadFilter::default());
        assert_eq!((parsed.leads.len(), parsed.cut), (leads, cut));
        assert_eq!(parsed.leads[1].stage(), Some((9, 142)));
    }
}

#[test]
fn a_lead_counts_when_any_of_its_entries_is_at_a_trigger_stage() {
    let filter = LeadFilter { account_id: None, trigger_statuses: Some(vec![(9, 2)]) };
    let body = "leads[status][0][id]=5&leads[status][0][pipeline_id]=9&leads[status][0][status_id]=1\
                &leads[add][0][id]=5&leads[add][0][pipeline_id]=9&leads[add][0][status_id]=2";
    assert_eq!(ids(&filtered(body, &filter)), [(Action::Add, 5)]);
}

#[test]
fn our_event_is_camel_case_and_leaves_out_what_is_unknown() {
    let body = "leads[add][0][id]=20881394&leads[add][0][pipeline_id]=8097455&account[id]=31205035";
    assert_eq!(
        serde_json::to_value(received(body)).unwrap(),
        json!({"leadId": 20_881_394, "accountId": 31_205_035, "pipelineId": 8_097_455,
               "action": "add", "receivedAt": "2026-11-22T10:00:00Z"})
    );
}

/// The one lead of a body that came in at ten.
fn received(body: &str) -> AmoCrmWebhook {
    let received_at = Some("2026-11-22T10:00:00Z".to_owned());
    AmoCrmWebhook { received_at, ..parse(body).leads.remove(0) }
}

fn data(value: Value) -> Map<String, Value> {
    serde_json::from_value(value).unwrap()
}

fn lead_ids(value: Value) -> Vec<u64> {
    let leads = leads_in_event(&data(value), &LeadFilter::default()).unwrap_or_default();
    leads.into_iter().map(|lead| lead.lead_id).collect()
}

#[test]
fn an_event_of_ours_is_read_back_whole() {
    let body = "leads[status][0][id]=45721053&leads[status][0][status_id]=77186758\
                &leads[status][0][old_status_id]=1&account[id]=32452514&account[subdomain]=oooprometei";
    let sent = received(body);
    let wire = serde_json::to_value(&sent).unwrap();
    assert_eq!(leads_in_event(&data(wire), &LeadFilter::default()).unwrap(), [sent]);
}

#[test]
fn a_lead_id_may_be_a_number_or_digits() {
    assert_eq!(lead_ids(json!({"leadId": 45_721_053})), [45_721_053]);
    assert_eq!(lead_ids(json!({"leadId": "45721053", "accountId": {}, "action": 7})), [45_721_053]);
}

#[test]
fn the_webhook_intake_of_inngest_is_understood_with_lists_texts_and_numbers() {
    let nested = json!({"data": {
        "leads[status][0][id]": ["45721053"], "account[subdomain]": ["oooprometei"],
        "leads[status][1][id]": "2", "leads[add][0][id]": 3, "account[id]": ["32452514"],
    }});
    assert_eq!(lead_ids(nested.clone()), [45_721_053, 2, 3]);
    assert_eq!(
        leads_in_event(&data(nested), &LeadFilter::default()).unwrap()[2].account_id,
        Some(32_452_514)
    );
    assert_eq!(lead_ids(json!({"leads[status][0][id]": ["45721053"]})), [45_721_053]);
    assert_eq!(lead_ids(json!({"data": {}, "leads[add][0][id]": "4"})), [4]);
}

#[test]
fn data_without_a_lead_says_so() {
    for value in [
        json!({}),
        json!({"data": null}),
        json!({"data": []}),
        json!({"leadId": null}),
        json!({"leadId": "abc"}),
        json!({"leadId": -1}),
        json!({"leadId": 1.5}),
        json!({"leadId": [[1]]}),
        json!({"data": {"leads[update][0][id]": ["1"]}}),
        json!({"leads[status][0][id]": []}),
        json!({"leads[status][0][id]": [[["1"]]]}),
    ] {
        let error = leads_in_event(&data(value.clone()), &LeadFilter::default())
            .expect_err(&value.to_string());
        assert_eq!(error.to_string(), "Lead ID not found in webhook data");
    }
}
