/** The door to the admin interface of a running peer, for who asks it. */
export { adminUrl } from "../admin/admin-address.ts";
export { findAdmin, tokenFileOf } from "../admin/find-admin.ts";
export { askAdmin } from "../system/http/admin-client.ts";
