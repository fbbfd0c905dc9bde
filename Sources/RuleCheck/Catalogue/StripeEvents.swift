// The events of Stripe that rules about money listen to, with the fields of the object they are about.
//
// Thread: constants. Promise: amounts are money in minor units here, as Stripe sends them.

enum StripeEvents {

  static let all: [(String, [String: FieldType])] = [
    entries(
      [
        "invoice.created", "invoice.finalized", "invoice.finalization_failed", "invoice.paid", "invoice.payment_failed",
        "invoice.payment_action_required", "invoice.payment_attempt_required", "invoice.payment_succeeded",
        "invoice.updated", "invoice.overdue", "invoice.will_be_due", "invoice.upcoming", "invoice.marked_uncollectible",
        "invoice.voided", "invoice.sent", "invoice.deleted", "invoice_payment.paid",
      ],
      [
        "id": .text, "object": .text, "customer": .text, "customer_email": .text, "customer_name": .text,
        "subscription": .text, "charge": .text, "payment_intent": .text, "amount_due": .money, "amount_paid": .money,
        "amount_remaining": .money, "subtotal": .money, "total": .money, "currency": .text, "attempt_count": .integer,
        "attempted": .boolean, "auto_advance": .boolean, "next_payment_attempt": .time, "billing_reason": .text,
        "collection_method": .text, "due_date": .time, "status": .text, "hosted_invoice_url": .text,
        "invoice_pdf": .text, "number": .text, "lines": .any, "metadata": .any, "paid": .boolean, "livemode": .boolean,
        "created": .time, "period_start": .time, "period_end": .time, "description": .text, "discount": .any,
        "tax": .money,
      ]),
    entries(
      [
        "customer.subscription.created", "customer.subscription.updated", "customer.subscription.deleted",
        "customer.subscription.paused", "customer.subscription.resumed", "customer.subscription.trial_will_end",
        "customer.subscription.pending_update_applied", "customer.subscription.pending_update_expired",
      ],
      [
        "id": .text, "object": .text, "customer": .text, "status": .text, "plan": .any, "items": .any,
        "cancel_at": .time, "cancel_at_period_end": .boolean, "canceled_at": .time, "current_period_end": .time,
        "current_period_start": .time, "trial_start": .time, "trial_end": .time, "ended_at": .time, "start_date": .time,
        "collection_method": .text, "currency": .text, "default_payment_method": .text, "latest_invoice": .text,
        "metadata": .any, "quantity": .integer, "discount": .any, "pause_collection": .any, "livemode": .boolean,
        "created": .time,
      ]),
    entries(
      [
        "subscription_schedule.created", "subscription_schedule.updated", "subscription_schedule.completed",
        "subscription_schedule.canceled", "subscription_schedule.aborted", "subscription_schedule.released",
        "subscription_schedule.expiring",
      ],
      [
        "id": .text, "object": .text, "customer": .text, "subscription": .text, "status": .text, "current_phase": .any,
        "phases": .any, "metadata": .any, "livemode": .boolean, "created": .time,
      ]),
    entries(
      [
        "charge.succeeded", "charge.failed", "charge.pending", "charge.captured", "charge.updated", "charge.refunded",
        "charge.expired",
      ],
      [
        "id": .text, "object": .text, "amount": .money, "amount_captured": .money, "amount_refunded": .money,
        "currency": .text, "customer": .text, "invoice": .text, "payment_intent": .text, "payment_method": .text,
        "status": .text, "paid": .boolean, "refunded": .boolean, "failure_code": .text, "failure_message": .text,
        "receipt_email": .text, "receipt_url": .text, "description": .text, "metadata": .any, "outcome": .any,
        "disputed": .boolean, "livemode": .boolean, "created": .time, "balance_transaction": .text,
        "billing_details": .any,
      ]),
    entries(
      [
        "charge.dispute.created", "charge.dispute.closed", "charge.dispute.updated", "charge.dispute.funds_withdrawn",
        "charge.dispute.funds_reinstated",
      ],
      [
        "id": .text, "object": .text, "amount": .money, "currency": .text, "charge": .text, "payment_intent": .text,
        "reason": .text, "status": .text, "evidence": .any, "metadata": .any, "livemode": .boolean, "created": .time,
      ]),
    entries(
      [
        "payment_intent.created", "payment_intent.succeeded", "payment_intent.payment_failed",
        "payment_intent.requires_action", "payment_intent.canceled", "payment_intent.processing",
        "payment_intent.amount_capturable_updated", "payment_intent.partially_funded",
      ],
      [
        "id": .text, "object": .text, "amount": .money, "amount_received": .money, "currency": .text, "customer": .text,
        "invoice": .text, "status": .text, "payment_method": .text, "last_payment_error": .any, "description": .text,
        "metadata": .any, "livemode": .boolean, "created": .time, "client_secret": .text,
      ]),
    entries(
      [
        "setup_intent.created", "setup_intent.succeeded", "setup_intent.setup_failed", "setup_intent.canceled",
        "setup_intent.requires_action",
      ],
      [
        "id": .text, "object": .text, "customer": .text, "payment_method": .text, "status": .text,
        "last_setup_error": .any, "usage": .text, "metadata": .any, "livemode": .boolean, "created": .time,
      ]),
    entries(
      [
        "payment_method.attached", "payment_method.detached", "payment_method.updated",
        "payment_method.automatically_updated",
      ],
      [
        "id": .text, "object": .text, "type": .text, "customer": .text, "card": .any, "billing_details": .any,
        "metadata": .any, "livemode": .boolean, "created": .time,
      ]),
    entries(
      ["customer.created", "customer.updated", "customer.deleted"],
      [
        "id": .text, "object": .text, "email": .text, "name": .text, "phone": .text, "currency": .text,
        "balance": .money, "default_source": .text, "delinquent": .boolean, "description": .text, "metadata": .any,
        "address": .any, "livemode": .boolean, "created": .time, "invoice_settings": .any,
      ]),
    entries(
      ["customer.source.created", "customer.source.updated", "customer.source.deleted", "customer.source.expiring"],
      [
        "id": .text, "object": .text, "brand": .text, "country": .text, "customer": .text, "exp_month": .integer,
        "exp_year": .integer, "last4": .text, "funding": .text, "metadata": .any,
      ]),
    entries(
      ["customer.discount.created", "customer.discount.updated", "customer.discount.deleted"],
      [
        "id": .text, "object": .text, "coupon": .any, "customer": .text, "start": .time, "end": .time,
        "promotion_code": .text,
      ]),
    entries(
      [
        "checkout.session.completed", "checkout.session.expired", "checkout.session.async_payment_failed",
        "checkout.session.async_payment_succeeded",
      ],
      [
        "id": .text, "object": .text, "customer": .text, "customer_email": .text, "amount_total": .money,
        "amount_subtotal": .money, "currency": .text, "mode": .text, "status": .text, "payment_status": .text,
        "payment_intent": .text, "subscription": .text, "client_reference_id": .text, "metadata": .any, "url": .text,
        "expires_at": .time, "livemode": .boolean, "created": .time, "invoice": .text,
      ]),
    entries(
      [
        "mandate.updated", "radar.early_fraud_warning.created", "quote.created", "quote.finalized", "quote.accepted",
        "quote.canceled", "entitlements.active_entitlement_summary.updated", "billing.alert.triggered",
        "billing.credit_grant.created", "billing.credit_grant.updated", "billing.credit_balance_transaction.created",
        "billing.meter.created", "billing.meter.updated",
      ], [:]),
    entries(
      ["refund.created", "refund.updated", "refund.failed", "charge.refund.updated"],
      [
        "id": .text, "object": .text, "amount": .money, "currency": .text, "charge": .text, "payment_intent": .text,
        "reason": .text, "status": .text, "failure_reason": .text, "metadata": .any, "created": .time,
      ]),
    entries(
      ["credit_note.created", "credit_note.updated", "credit_note.voided"],
      [
        "id": .text, "object": .text, "amount": .money, "total": .money, "subtotal": .money, "currency": .text,
        "customer": .text, "invoice": .text, "reason": .text, "status": .text, "metadata": .any, "created": .time,
      ]),
  ].flatMap { $0 }

  private static func entries(_ names: [String], _ fields: [String: FieldType]) -> [(String, [String: FieldType])] {
    names.map { ($0, fields) }
  }
}
