// The events of Segment's specification, which many senders follow: names and what they carry.
//
// Thread: constants. Promise: amounts are decimal numbers here, as that specification has them.

enum SegmentEvents {
  private static let products = FieldType.list(
    .part(
      [
        "product_id": .text, "sku": .text, "category": .text, "name": .text, "brand": .text, "variant": .text,
        "price": .number, "quantity": .integer, "coupon": .text, "position": .integer, "url": .text, "image_url": .text,
      ], isOpen: true))

  static let all: [(String, [String: FieldType])] = [
    entries(["Account Created"], ["account_name": .text]),
    entries(["Account Deleted"], ["account_name": .text]),
    entries(["Account Updated"], ["account_name": .text]),
    entries(
      ["Signed Up"],
      [
        "type": .text, "first_name": .text, "last_name": .text, "email": .text, "phone": .text, "username": .text,
        "title": .text, "plan": .text,
      ]),
    entries(["Signed In"], ["username": .text, "method": .text]),
    entries(["Signed Out"], ["username": .text]),
    entries(
      ["Invite Sent"],
      ["invitee_email": .text, "invitee_first_name": .text, "invitee_last_name": .text, "invitee_role": .text]),
    entries(["Account Added User", "Account Removed User"], ["role": .text]),
    entries(
      ["Trial Started", "Trial Ended"], ["trial_start_date": .time, "trial_end_date": .time, "trial_plan_name": .text]),
    entries(["Products Searched"], ["query": .text, "search_id": .text]),
    entries(
      ["Product List Viewed", "Product List Filtered"],
      ["list_id": .text, "category": .text, "products": products, "filters": .list(.any), "sorts": .list(.any)]),
    entries(
      ["Promotion Viewed", "Promotion Clicked"],
      ["promotion_id": .text, "creative": .text, "name": .text, "position": .text]),
    entries(
      ["Product Clicked", "Product Viewed", "Product Added", "Product Removed"],
      [
        "product_id": .text, "sku": .text, "category": .text, "name": .text, "brand": .text, "variant": .text,
        "price": .number, "quantity": .integer, "coupon": .text, "position": .integer, "url": .text, "image_url": .text,
        "cart_id": .text, "currency": .text, "value": .number,
      ]),
    entries(["Cart Viewed"], ["cart_id": .text, "products": products]),
    entries(
      ["Checkout Started", "Order Completed", "Order Updated", "Order Refunded", "Order Cancelled"],
      [
        "order_id": .text, "checkout_id": .text, "affiliation": .text, "subtotal": .number, "total": .number,
        "revenue": .number, "value": .number, "shipping": .number, "tax": .number, "discount": .number, "coupon": .text,
        "currency": .text, "products": products,
      ]),
    entries(
      ["Checkout Step Viewed", "Checkout Step Completed", "Payment Info Entered"],
      ["checkout_id": .text, "order_id": .text, "step": .integer, "shipping_method": .text, "payment_method": .text]),
    entries(
      ["Coupon Entered", "Coupon Applied", "Coupon Denied", "Coupon Removed"],
      [
        "order_id": .text, "cart_id": .text, "coupon_id": .text, "coupon_name": .text, "discount": .number,
        "reason": .text,
      ]),
    entries(
      ["Product Added to Wishlist", "Product Removed from Wishlist", "Wishlist Product Added to Cart"],
      [
        "wishlist_id": .text, "wishlist_name": .text, "cart_id": .text, "product_id": .text, "sku": .text,
        "category": .text, "name": .text, "brand": .text, "variant": .text, "price": .number, "quantity": .integer,
        "coupon": .text, "position": .integer, "url": .text, "image_url": .text, "currency": .text, "value": .number,
      ]),
    entries(
      ["Product Shared"],
      [
        "share_via": .text, "share_message": .text, "recipient": .text, "product_id": .text, "sku": .text,
        "category": .text, "name": .text, "brand": .text, "variant": .text, "price": .number, "quantity": .integer,
        "coupon": .text, "position": .integer, "url": .text, "image_url": .text, "cart_id": .text, "currency": .text,
        "value": .number,
      ]),
    entries(
      ["Cart Shared"],
      ["share_via": .text, "share_message": .text, "recipient": .text, "cart_id": .text, "products": products]),
    entries(["Product Reviewed"], ["product_id": .text, "review_id": .text, "review_body": .text, "rating": .text]),
    entries(
      [
        "Video Playback Started", "Video Playback Paused", "Video Playback Interrupted", "Video Playback Resumed",
        "Video Playback Completed", "Video Playback Exited", "Video Playback Buffer Started",
        "Video Playback Buffer Completed", "Video Playback Seek Started", "Video Playback Seek Completed",
      ],
      [
        "session_id": .text, "content_asset_id": .text, "content_asset_ids": .list(.any), "asset_id": .text,
        "position": .number, "total_length": .number, "video_player": .text, "sound": .number, "full_screen": .boolean,
        "livestream": .boolean, "ad_asset_id": .text, "quality": .text, "bitrate": .number, "framerate": .number,
      ]),
    entries(
      [
        "Video Content Started", "Video Content Playing", "Video Content Completed", "Video Ad Started",
        "Video Ad Playing", "Video Ad Completed",
      ],
      [
        "title": .text, "description": .text, "keywords": .list(.any), "season": .text, "episode": .text,
        "genre": .text, "program": .text, "publisher": .text, "channel": .text, "airdate": .time, "session_id": .text,
        "content_asset_id": .text, "content_asset_ids": .list(.any), "asset_id": .text, "position": .number,
        "total_length": .number, "video_player": .text, "sound": .number, "full_screen": .boolean,
        "livestream": .boolean, "ad_asset_id": .text, "quality": .text, "bitrate": .number, "framerate": .number,
      ]),
    entries(
      [
        "Email Delivered", "Email Opened", "Email Link Clicked", "Email Bounced", "Email Marked as Spam",
        "Unsubscribed",
      ],
      [
        "email_id": .text, "email_subject": .text, "campaign_id": .text, "campaign_name": .text, "link_id": .text,
        "link_url": .text, "list_id": .text, "list_name": .text,
      ]),
    entries(
      [
        "Live Chat Conversation Started", "Live Chat Conversation Ended", "Live Chat Message Sent",
        "Live Chat Message Received",
      ],
      [
        "agent_id": .text, "agent_name": .text, "agent_username": .text, "conversation_id": .text,
        "conversation_duration": .number, "message_id": .text, "message_body": .text,
      ]),
    entries(
      [
        "Application Installed", "Application Opened", "Application Updated", "Application Backgrounded",
        "Application Foregrounded", "Application Uninstalled", "Application Crashed",
      ],
      [
        "version": .text, "build": .text, "previous_version": .text, "previous_build": .text,
        "from_background": .boolean, "referring_application": .text, "url": .text,
      ]),
    entries(
      [
        "Push Notification Received", "Push Notification Tapped", "Push Notification Bounced", "Deep Link Opened",
        "Deep Link Clicked", "Install Attributed",
      ], ["action": .text, "provider": .text, "url": .text, "campaign": .any]),
    entries(
      ["Experiment Viewed"],
      ["experiment_id": .text, "experiment_name": .text, "variation_id": .text, "variation_name": .text]),
  ].flatMap { $0 }

  private static func entries(_ names: [String], _ fields: [String: FieldType]) -> [(String, [String: FieldType])] {
    names.map { ($0, fields) }
  }
}
