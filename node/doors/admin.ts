/** The door to the admin interface of a running peer, for who serves it. */
export { adminUrl, parseAdminAddress } from "../admin/admin-address.ts";
export { AdminInterface } from "../admin/serve-admin.ts";
export { serveSwarmPage } from "../admin/serve-swarm.ts";
