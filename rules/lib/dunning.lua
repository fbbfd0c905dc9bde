-- The numbers of the dunning pack: change them here, and nowhere else.
return {
  -- How long an invoice is fought for, and with how many tries. Advice of those who do this at scale: 14 to 28 days,
  -- and never longer than the shortest plan you sell.
  longest_days = 28,
  most_tries   = 8,

  -- When a card that was declined is tried again. Days and hours count from the first failure, respectively from the
  -- last try. Hours are those of the customer's own clock, in standard time; summer time adds one.
  vague_days      = { 1, 3, 7, 10 },
  technical_hours = { 1, 4, 24 },
  paydays         = { days_of_month = { 1, 15 }, last_business_day = true, fridays = true },
  hours           = { 10, 15, 12, 18, 9 },

  -- No two tries of one invoice within this; what never reached the bank may be tried again sooner.
  hours_between_tries           = 24,
  hours_between_technical_tries = 1,

  -- After which tries the customer is reminded; 0: when the first payment has failed.
  remind_after_tries = { [0] = true, [2] = true, [4] = true },

  -- When someone who has to act is asked for it, in days since it turned out.
  ask_on_days = { 0, 3, 10 },

  -- An answer that did not come is asked for, after each of these pauses.
  look_up_after = { "5 minutes", "1 hour", "1 day", "1 day", "1 day", "1 day", "1 day" },

  -- What becomes of access, by days since the oldest unpaid invoice.
  access = { { days = 7, access = "read_only" }, { days = 21, access = "suspended" } },

  -- What becomes of the subscription in the end: "cancel" or "keep".
  end_action = "cancel",

  -- A card that expires: silence while the networks may still renew it, one message this many days before the end.
  expiring_days = 7,
}
