// Made of the Rust types by `REGENERATE=1 cargo test -p functions contract`; do not edit.

/** `crm/create-deal`: another program wants a deal in the ERP. */
export type CreateDeal = {
  /** The deal's amount: less than 70 trillion, or a whole number, so that it is exact to the kopeck. Without it, or with
   * 0, the record gets none. */
  amount?: number | null;
  /** The deal's name. */
  dealName: string;
  /** The ERP entity, where it is not the configured one. */
  entityId?: number | null;
  /** More fields of the record, by the ERP's names, of those that `CRM_FIELDS` allows. */
  fields?: Record<string, string | number | boolean | null>;
};

/** What a run of `createCrmDeal` returns, and `step.invoke` with it: the ERP's reply as it came. */
export type CreateDealResult = {
  data: {
    /** The record's id in the ERP. */
    id: string | number;
  };
  status: "success";
};

export type CreateDealEvent = {
  data: CreateDeal;
  /** Makes the event idempotent: Inngest starts nothing for a second one with the same id within 24 hours. */
  id?: string;
  name: "crm/create-deal";
  /** When it happened, in milliseconds since 1970. Default: now. */
  ts?: number;
};

/** What happened to a lead, in amoCRM's words. `Update` and `Delete` make no deal: they concern leads that have one. */
export type Action = "status" | "add" | "restore" | "accept" | "update" | "delete";

/** The pairs of the form that amoCRM sends, such as `leads[status][0][id]`. */
export type AmoCrmForm = Record<string, string | number | string[]>;

/** The form as Inngest's own webhook intake hands it on. */
export type AmoCrmFormOfInngest = {
  data: AmoCrmForm;
};

/** The data of an `amocrm/webhook` event in our own form: one lead. */
export type AmoCrmWebhook = {
  /** The account it belongs to. */
  accountId?: number | null;
  /** What happened to the lead. */
  action?: Action | null;
  /** The event that reported the lead first: the same in every event that is sent again. Absent where it does not
   * matter, or is the id of the event itself. */
  deliveryId?: string | null;
  /** The lead. */
  leadId: number;
  /** The pipeline the lead left. */
  oldPipelineId?: number | null;
  /** The stage the lead left. */
  oldStatusId?: number | null;
  /** The pipeline the lead entered. */
  pipelineId?: number | null;
  /** When we received the webhook, ISO 8601. */
  receivedAt?: string | null;
  /** The stage the lead entered. */
  statusId?: number | null;
  /** The account's name at the time. Never use it as a host to call. */
  subdomain?: string | null;
};

/** Leads have moved in amoCRM. What the event says of a lead is a hint: it is read from amoCRM. */
export type AmoCrmWebhookData = AmoCrmWebhook | AmoCrmFormOfInngest | AmoCrmForm;

export type AmoCrmWebhookEvent = {
  data: AmoCrmWebhookData;
  /** Makes the event idempotent: Inngest starts nothing for a second one with the same id within 24 hours. */
  id?: string;
  name: "amocrm/webhook";
  /** When it happened, in milliseconds since 1970. Default: now. */
  ts?: number;
};
