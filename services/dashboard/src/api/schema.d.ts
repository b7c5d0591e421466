// Made from openapi.json by `npm run types`; change the contracts instead.
export interface paths {
    "/health": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Which parts of the system work
         * @description Which parts work. 503 while one is down. Needs no credentials.
         */
        get: operations["health"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/instances": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List instances
         * @description A page of the instances that fit; `total` is how many fit. Needs the role `viewer`. A token that is bound to a user reaches only its own.
         */
        get: operations["list"];
        put?: never;
        /**
         * Create an instance
         * @description A new instance that has its port and API key. Needs the role `admin`. A token that is bound to a user reaches only its own.
         */
        post: operations["create"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/instances/batch/status": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Where many instances stand
         * @description Where the instances stand, in the order they were asked for; `not_found` are those that do not exist. Needs the role `viewer`. A token that is bound to a user reaches only its own.
         */
        post: operations["batch_status"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/instances/memory/stats": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Figures over all instances
         * @description Figures over all instances. Needs the role `viewer`. A token that is bound to a user reaches only its own.
         */
        get: operations["memory_stats"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/instances/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Show an instance
         * @description One instance. Needs the role `viewer`. A token that is bound to a user reaches only its own.
         */
        get: operations["get"];
        put?: never;
        post?: never;
        /**
         * Delete an instance
         * @description A success that is told in a sentence. Needs the role `admin`. A token that is bound to a user reaches only its own.
         */
        delete: operations["delete"];
        options?: never;
        head?: never;
        /**
         * Change name, webhook, proxy or token
         * @description One instance. Needs the role `admin`. A token that is bound to a user reaches only its own.
         */
        patch: operations["update"];
        trace?: never;
    };
    "/api/v1/instances/{id}/start": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Start an instance
         * @description What became of a change, and where the instance stands now (null: it was deleted meanwhile). Needs the role `operator`. A token that is bound to a user reaches only its own.
         */
        post: operations["start"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/instances/{id}/stop": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Stop an instance
         * @description What became of a change, and where the instance stands now (null: it was deleted meanwhile). Needs the role `operator`. A token that is bound to a user reaches only its own.
         */
        post: operations["stop"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/instances/{id}/restart": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Start an instance anew
         * @description What became of a change, and where the instance stands now (null: it was deleted meanwhile). Needs the role `operator`. A token that is bound to a user reaches only its own.
         */
        post: operations["restart"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/instances/{id}/logout": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Log an instance out
         * @description What became of a change, and where the instance stands now (null: it was deleted meanwhile). Needs the role `admin`. A token that is bound to a user reaches only its own.
         */
        post: operations["logout"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/instances/{id}/qr": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The QR code that waits now
         * @description The QR code that waits now. Needs the role `viewer`. A token that is bound to a user reaches only its own.
         */
        get: operations["qr"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/instances/{id}/current-qr": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The QR code that waits now, in the older shape
         * @description The QR code that waits now, in the older shape. Needs the role `viewer`. A token that is bound to a user reaches only its own.
         */
        get: operations["current_qr"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/instances/{id}/login": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What is next for the login
         * @description Where the login stands. Needs the role `viewer`. A token that is bound to a user reaches only its own.
         */
        get: operations["login_step"];
        put?: never;
        /**
         * Answer the present login step
         * @description Where the login stands. Needs the role `operator`. A token that is bound to a user reaches only its own.
         */
        post: operations["login"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/instances/{id}/pairing-code": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Log in with a code instead of a QR code
         * @description A code that is typed on the phone instead of scanning a QR code. Needs the role `operator`. A token that is bound to a user reaches only its own.
         */
        post: operations["pairing_code"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/instances/{id}/auth-status": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * How far the login is
         * @description How far the login is. Needs the role `viewer`. A token that is bound to a user reaches only its own.
         */
        get: operations["auth_status"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/instances/{id}/memory": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The figures of an instance
         * @description The figures of an instance. Needs the role `viewer`. A token that is bound to a user reaches only its own.
         */
        get: operations["memory"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/instances/{id}/logs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Log lines of an instance
         * @description The newest log lines of an instance, oldest first; `total_lines` is how many of this level are kept. Needs the role `viewer`. A token that is bound to a user reaches only its own.
         */
        get: operations["logs"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/instances/{id}/status-history": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Changes of status, with cause and actor
         * @description Changes of status, newest first. Needs the role `viewer`. A token that is bound to a user reaches only its own.
         */
        get: operations["status_history"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/instances/{id}/qr-history": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * QR codes that were shown
         * @description QR codes that were shown, newest first. Needs the role `viewer`. A token that is bound to a user reaches only its own.
         */
        get: operations["qr_history"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/instances/{id}/api-key-history": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * API keys and how they were used
         * @description API keys that the instance had, newest first. Needs the role `viewer`. A token that is bound to a user reaches only its own.
         */
        get: operations["api_key_history"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/instances/{id}/errors": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What went wrong
         * @description What went wrong since the errors were last cleared, newest first. Needs the role `viewer`. A token that is bound to a user reaches only its own.
         */
        get: operations["errors"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/instances/{id}/clear-errors": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Clear the errors
         * @description What became of a change, and where the instance stands now (null: it was deleted meanwhile). Needs the role `operator`. A token that is bound to a user reaches only its own.
         */
        post: operations["clear_errors"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/instances/{id}/activity-stats": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * How an instance does
         * @description How an instance does. Needs the role `viewer`. A token that is bound to a user reaches only its own.
         */
        get: operations["activity_stats"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/instances/{id}/credentials": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * API key and address of the instance's own port
         * @description How to call the instance's own port. Needs the role `admin`. A token that is bound to a user reaches only its own. Who does it is recorded.
         */
        get: operations["credentials"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/instances/{id}/current-api-key": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The API key and how it was used
         * @description The API key and how it was used. Needs the role `admin`. A token that is bound to a user reaches only its own. Who does it is recorded.
         */
        get: operations["current_api_key"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/instances/{id}/api-key/rotate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Replace the API key; the old one is dead at once
         * @description The API key and how it was used. Needs the role `admin`. A token that is bound to a user reaches only its own.
         */
        post: operations["rotate_api_key"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/instances/{id}/messages": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Say or do something in a chat
         * @description The messenger took the message. `id` is ours, `messageId` the messenger's. Needs the role `operator`. A token that is bound to a user reaches only its own. The API key of the instance is enough, too.
         */
        post: operations["send"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/instances/{id}/media": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /**
         * Upload a file that shall be sent
         * @description A file that can be sent now, as `media.upload`. The same content always has the same id. Needs the role `operator`. A token that is bound to a user reaches only its own. The API key of the instance is enough, too.
         */
        put: operations["upload"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/instances/{id}/webhook/test": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Send a test message to the webhook
         * @description What the webhook answered to a test message. `delivered` says whether with a status of success. Needs the role `operator`. A token that is bound to a user reaches only its own.
         */
        post: operations["test_webhook"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/instances/{id}/webhook/deliveries": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What went to the webhook, waits, or could not be delivered
         * @description Deliveries to the webhook of an instance, the newest first. `total` is how many fit, `counts` how many there are by status. Needs the role `viewer`. A token that is bound to a user reaches only its own.
         */
        get: operations["deliveries"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/instances/{id}/webhook/deliveries/{delivery_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * One delivery, with its body
         * @description One delivery, and the body that is sent. Needs the role `viewer`. A token that is bound to a user reaches only its own.
         */
        get: operations["delivery"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/instances/{id}/webhook/deliveries/redeliver": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Deliver once more all that failed
         * @description How many deliveries wait once more, from their first try on. Needs the role `operator`. A token that is bound to a user reaches only its own.
         */
        post: operations["redeliver_failed"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/instances/{id}/webhook/deliveries/{delivery_id}/redeliver": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Deliver one delivery once more
         * @description How many deliveries wait once more, from their first try on. Needs the role `operator`. A token that is bound to a user reaches only its own.
         */
        post: operations["redeliver"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/instances/{id}/webhook/secret": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The secret that signs the webhook
         * @description What signs the webhook of an instance; receivers verify with it. Needs the role `admin`. A token that is bound to a user reaches only its own. Who does it is recorded.
         */
        get: operations["webhook_secret"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/instances/{id}/webhook/secret/rotate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Replace the secret that signs the webhook
         * @description What signs the webhook of an instance; receivers verify with it. Needs the role `admin`. A token that is bound to a user reaches only its own. Who does it is recorded.
         */
        post: operations["rotate_webhook_secret"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/providers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What providers ask for and can do
         * @description Every provider that there is; one without workers cannot start instances now. Needs the role `viewer`. A token that is bound to a user reaches only its own.
         */
        get: operations["providers"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/multi-provider/active-providers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Providers in use
         * @description Providers with a live session, and the instances that have one. Needs the role `viewer`. A token that is bound to a user reaches only its own.
         */
        get: operations["active_providers"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/multi-provider/instances": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * All instances, of one provider if asked
         * @description All instances. Needs the role `viewer`. A token that is bound to a user reaches only its own.
         */
        get: operations["provider_instances"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/multi-provider/stats": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Counts by provider
         * @description Counts by provider; every provider is in it. Needs the role `viewer`. A token that is bound to a user reaches only its own.
         */
        get: operations["provider_stats"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/multi-provider/instances/{provider}/{id}/status": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Where an instance stands
         * @description Where one instance stands; `state` in the words of its provider. Needs the role `viewer`. A token that is bound to a user reaches only its own. The API key of the instance is enough, too.
         */
        get: operations["provider_status"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/multi-provider/instances/{provider}/{id}/send-message": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Send a text
         * @description The messenger took the message. `id` is ours, `messageId` the messenger's. Needs the role `operator`. A token that is bound to a user reaches only its own. The API key of the instance is enough, too.
         */
        post: operations["send_message"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/multi-provider/instances/{provider}/{id}/send-media": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Send a file from a URL
         * @description The messenger took the message. `id` is ours, `messageId` the messenger's. Needs the role `operator`. A token that is bound to a user reaches only its own. The API key of the instance is enough, too.
         */
        post: operations["send_media"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Every status and message event as Server-Sent Events
         * @description Needs the role `viewer`. A token that is bound to a user reaches only its own.
         */
        get: operations["events"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/ws": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Every status and message event over a WebSocket
         * @description Needs the role `viewer`. A token that is bound to a user reaches only its own.
         */
        get: operations["websocket"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/session": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Who calls, and what they may do
         * @description Who calls. `needs_token` says whether this gateway wants credentials at all. Needs the role `viewer`. A token that is bound to a user reaches only its own.
         */
        get: operations["session"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/resources": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The machine and the processes
         * @description The machine that the gateway runs on, and the system's processes. `containers` is null without an engine. Needs the role `viewer` for the whole system: a token bound to a user is refused.
         */
        get: operations["resources"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/resources/ports": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Ports of instances
         * @description Ports that instances have and may get. Needs the role `viewer` for the whole system: a token bound to a user is refused.
         */
        get: operations["ports"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/resources/performance": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What the system measures of itself
         * @description What the running system measures of itself. Needs the role `viewer` for the whole system: a token bound to a user is refused.
         */
        get: operations["performance"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/resources/health": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Whether something needs attention
         * @description Whether something needs attention. Needs the role `viewer` for the whole system: a token bound to a user is refused.
         */
        get: operations["resources_health"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/workers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The workers that live
         * @description All workers that live. Needs the role `viewer` for the whole system: a token bound to a user is refused.
         */
        get: operations["workers"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/workers/{worker}/drain": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Move all instances of a worker to others
         * @description Where a worker stands now. Needs the role `admin` for the whole system: a token bound to a user is refused. Who does it is recorded.
         */
        post: operations["drain_worker"];
        /**
         * Let a worker have instances again
         * @description Where a worker stands now. Needs the role `admin` for the whole system: a token bound to a user is refused. Who does it is recorded.
         */
        delete: operations["undrain_worker"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/resources/instances": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * All instances
         * @description All instances. Needs the role `viewer`. A token that is bound to a user reaches only its own.
         */
        get: operations["resources_instances"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tokens": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List access tokens
         * @description All access tokens, oldest first. Needs the role `admin` for the whole system: a token bound to a user is refused.
         */
        get: operations["tokens"];
        put?: never;
        /**
         * Make an access token
         * @description A new access token; it is shown this once. Needs the role `admin` for the whole system: a token bound to a user is refused. Who does it is recorded.
         */
        post: operations["create_token"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tokens/{token_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Revoke an access token
         * @description A success that is told in a sentence. Needs the role `admin` for the whole system: a token bound to a user is refused. Who does it is recorded.
         */
        delete: operations["revoke_token"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/audit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Who changed what, from where
         * @description Changes, newest first. Needs the role `admin` for the whole system: a token bound to a user is refused.
         */
        get: operations["audit"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Metrics of the gateway for Prometheus
         * @description Needs the role `viewer` for the whole system: a token bound to a user is refused.
         */
        get: operations["metrics"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/metrics/{service}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Metrics of another service for Prometheus
         * @description Needs the role `viewer` for the whole system: a token bound to a user is refused.
         */
        get: operations["service_metrics"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/openapi.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * This document
         * @description Needs no credentials.
         */
        get: operations["openapi"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/asyncapi.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The messages of the bus
         * @description Needs no credentials.
         */
        get: operations["asyncapi"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/docs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * This document as a page
         * @description Needs no credentials.
         */
        get: operations["docs"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/docs/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The messages of the bus as a page
         * @description Needs no credentials.
         */
        get: operations["docs_events"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/{port}/api/v1/health": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The port answers
         * @description The instance's port answers. Needs no credentials.
         */
        get: operations["port_health"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/{port}/api/v1/status": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Where the instance stands
         * @description Where the instance stands, and since when; `queue` is null while the bus is away. Needs the API key of the instance; the gateway also takes a token that may see it.
         */
        get: operations["port_status"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/{port}/api/v1/telegram/health": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The port answers
         * @description The instance's port answers. Needs no credentials. Instances of telegram have it.
         */
        get: operations["port_provider_health"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/{port}/api/v1/telegram/status": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Where the instance stands
         * @description Where the instance stands, and since when; `queue` is null while the bus is away. Needs the API key of the instance; the gateway also takes a token that may see it. Instances of telegram have it.
         */
        get: operations["port_provider_status"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/{port}/api/v1/account-info": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Who the account is
         * @description Who the account is. Needs the API key of the instance; the gateway also takes a token that may see it.
         */
        get: operations["port_account"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/{port}/api/v1/telegram/me": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Who the account is
         * @description Who the account is. Needs the API key of the instance; the gateway also takes a token that may see it. Instances of telegram have it.
         */
        get: operations["port_me"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/{port}/api/v1/messages": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Say or do something in a chat
         * @description The messenger took the message. `id` is ours, `messageId` the messenger's. Needs the API key of the instance; the gateway also takes a token that may see it.
         */
        post: operations["port_send"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/{port}/api/v1/telegram/send": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Send a text
         * @description Telegram took the message. `id` is ours. Needs the API key of the instance; the gateway also takes a token that may see it. Instances of telegram have it.
         */
        post: operations["telegram_send"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/{port}/api/v1/telegram/send-telegram-message": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Send a text
         * @description Telegram took the message. `id` is ours. Needs the API key of the instance; the gateway also takes a token that may see it. Instances of telegram have it.
         */
        post: operations["telegram_send_message"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/{port}/api/v1/telegram/send-media": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Send a file from a URL
         * @description Telegram took the message. `id` is ours. Needs the API key of the instance; the gateway also takes a token that may see it. Instances of telegram have it.
         */
        post: operations["telegram_send_media"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/{port}/api/v1/bulk": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Bulk messages
         * @description Bulk messages, the newest first. Needs the API key of the instance; the gateway also takes a token that may see it.
         */
        get: operations["port_bulks"];
        put?: never;
        /**
         * Send one message to many, at a pace
         * @description A bulk message. Needs the API key of the instance; the gateway also takes a token that may see it.
         */
        post: operations["port_bulk"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/{port}/api/v1/bulk/{bulk_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * A bulk message and its recipients
         * @description A bulk message and its recipients, in their order; `total` is how many fit. Needs the API key of the instance; the gateway also takes a token that may see it.
         */
        get: operations["port_bulk_details"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/{port}/api/v1/bulk/{bulk_id}/cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Cancel what was not queued yet
         * @description A bulk message. Needs the API key of the instance; the gateway also takes a token that may see it.
         */
        post: operations["port_cancel_bulk"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/{port}/api/v1/media": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /**
         * Upload a file that shall be sent
         * @description A file that can be sent now, as `media.upload`. The same content always has the same id. Needs the API key of the instance; the gateway also takes a token that may see it.
         */
        put: operations["port_upload"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/{port}/api/v1/messages/{chat}/{message}/media": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The file of a message that came in
         * @description Needs the API key of the instance; the gateway also takes a token that may see it.
         */
        get: operations["port_media"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/{port}/api/v1/chats": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Chats
         * @description Chats, the latest first. Needs the API key of the instance; the gateway also takes a token that may see it.
         */
        get: operations["port_chats"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/{port}/api/v1/contacts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Contacts
         * @description Contacts, the latest first. Needs the API key of the instance; the gateway also takes a token that may see it.
         */
        get: operations["port_contacts"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/{port}/api/v1/messages/{chat}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The newest messages of a chat
         * @description The newest messages of a chat, newest first. Needs the API key of the instance; the gateway also takes a token that may see it.
         */
        get: operations["port_messages"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/{port}/api/v1/stored-messages": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Stored messages
         * @description A page of stored messages, newest first. Needs the API key of the instance; the gateway also takes a token that may see it.
         */
        get: operations["port_stored"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/{port}/api/v1/stored-messages/stats": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What is stored
         * @description What is stored. Needs the API key of the instance; the gateway also takes a token that may see it.
         */
        get: operations["port_stored_stats"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/{port}/api/v1/groups": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Groups of the account, and those that messages are stored of
         * @description Groups, the latest first. Needs the API key of the instance; the gateway also takes a token that may see it.
         */
        get: operations["port_groups"];
        put?: never;
        /**
         * Make a group
         * @description A group. Needs the API key of the instance; the gateway also takes a token that may see it.
         */
        post: operations["port_create_group"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/{port}/api/v1/groups/{group}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * A group and who is in it
         * @description A group. Needs the API key of the instance; the gateway also takes a token that may see it.
         */
        get: operations["port_group"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/{port}/api/v1/groups/{group}/participants": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Add, remove, promote or demote people
         * @description Those who were named, with the problem where nothing was done. Needs the API key of the instance; the gateway also takes a token that may see it.
         */
        post: operations["port_participants"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/{port}/api/v1/groups/{group}/invite": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The link by which anybody can come into a group
         * @description The link by which anybody can come into the group. Needs the API key of the instance; the gateway also takes a token that may see it.
         */
        get: operations["port_invite"];
        put?: never;
        /**
         * Make a new link into a group; the one before is dead
         * @description The link by which anybody can come into the group. Needs the API key of the instance; the gateway also takes a token that may see it.
         */
        post: operations["port_renew_invite"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/{port}/api/v1/webhook/config": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The webhook of the instance
         * @description The webhook of the instance; null while there is none. Needs the API key of the instance; the gateway also takes a token that may see it.
         */
        get: operations["port_webhook"];
        put?: never;
        /**
         * Set the webhook of the instance
         * @description The webhook of the instance; null while there is none. Needs the API key of the instance; the gateway also takes a token that may see it.
         */
        post: operations["port_set_webhook"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/{port}/api/v1/send": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Send a text, or a file from a URL
         * @description WhatsApp took the message. `id` is ours. Needs the API key of the instance; the gateway also takes a token that may see it. Instances of whatsappweb have it.
         */
        post: operations["whatsapp_send"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /**
         * Account
         * @description Who the instance is at its messenger.
         */
        Account: {
            id: string;
            /** @default null */
            username: string | null;
            /** @default null */
            first_name: string | null;
            /** @default null */
            phone_number: string | null;
            /** @default null */
            lid: string | null;
        };
        /**
         * AccountInfo
         * @description Who the account is.
         */
        AccountInfo: {
            /**
             * @default true
             * @constant
             */
            success: true;
            id: string;
            username: string | null;
            first_name: string | null;
            phone_number: string | null;
            lid: string | null;
        };
        /**
         * ActiveProviders
         * @description Providers with a live session, and the instances that have one.
         */
        ActiveProviders: {
            /**
             * @default true
             * @constant
             */
            success: true;
            providers: components["schemas"]["Provider"][];
            activeProviders: string[];
            total: number;
        };
        /**
         * Activity
         * @description How an instance does. The score is 100 for one that works, less for each failure since, 0 for one that does
         *     not.
         */
        Activity: {
            uptime_hours: number;
            messages_sent_today: number;
            messages_received_today: number;
            health_score: number;
        };
        /**
         * ActivityAnswer
         * @description How an instance does.
         */
        ActivityAnswer: {
            /**
             * @default true
             * @constant
             */
            success: true;
            data: components["schemas"]["Activity"];
        };
        /**
         * ApiKeyData
         * @description The API key and how it was used.
         */
        ApiKeyData: {
            api_key: string;
            /** Format: date-time */
            generated_at: string;
            last_use: string | null;
            usage_count: number;
        };
        /**
         * ApiKeyHistory
         * @description API keys that the instance had, newest first.
         */
        ApiKeyHistory: {
            /**
             * @default true
             * @constant
             */
            success: true;
            data: components["schemas"]["ApiKeyPeriod"][];
            count: number;
            limit: number;
        };
        /**
         * ApiKeyPeriod
         * @description One API key of the instance, without the key.
         */
        ApiKeyPeriod: {
            /** Format: date-time */
            created_at: string;
            usage_count: number;
            last_used_at: string | null;
        };
        /**
         * AuditAnswer
         * @description Changes, newest first.
         */
        AuditAnswer: {
            /**
             * @default true
             * @constant
             */
            success: true;
            data: components["schemas"]["AuditItem"][];
            count: number;
            limit: number;
        };
        /**
         * AuditItem
         * @description Who changed what, from where, and what became of it.
         */
        AuditItem: {
            /** Format: date-time */
            timestamp: string;
            actor: string;
            action: string;
            origin: string;
            instance_id: string;
            user_id: string | null;
            ok: boolean;
            code: string | null;
            message: string;
        };
        /**
         * AuthStatus
         * @description How far the login is, derived from the status.
         * @enum {string}
         */
        AuthStatus: "pending" | "qr_ready" | "authenticated" | "disconnected" | "failed";
        /**
         * AuthStatusAnswer
         * @description How far the login is.
         */
        AuthStatusAnswer: {
            /**
             * @default true
             * @constant
             */
            success: true;
            status: components["schemas"]["Status"];
            auth_status: components["schemas"]["AuthStatus"];
            authenticated: boolean;
            is_ready_for_messages: boolean;
            account: string | null;
            phone_number: string | null;
            whatsapp_state: string | null;
            last_seen: string | null;
            reason: components["schemas"]["Reason"];
        };
        /**
         * BatchBody
         * @description Body of `POST /api/v1/instances/batch/status`.
         */
        BatchBody: {
            instance_ids: string[];
        };
        /**
         * BatchItem
         * @description Where one instance stands.
         */
        BatchItem: {
            id: string;
            status: components["schemas"]["Status"];
            auth_status: components["schemas"]["AuthStatus"];
            is_ready_for_messages: boolean;
        };
        /**
         * BatchStatus
         * @description Where the instances stand, in the order they were asked for; `not_found` are those that do not exist.
         */
        BatchStatus: {
            /**
             * @default true
             * @constant
             */
            success: true;
            data: components["schemas"]["BatchItem"][];
            not_found: string[];
        };
        /**
         * Bulk
         * @description A message to many; the numbers count recipients.
         */
        Bulk: {
            id: string;
            instance_id: string;
            status: components["schemas"]["BulkStatus"];
            per_minute: number;
            total: number;
            counts: {
                [key: string]: number;
            };
            /** Format: date-time */
            created_at: string;
            done_at: string | null;
        };
        /**
         * BulkAnswer
         * @description A bulk message.
         */
        BulkAnswer: {
            /**
             * @default true
             * @constant
             */
            success: true;
            bulk: components["schemas"]["Bulk"];
        };
        /**
         * BulkBody
         * @description Body of `POST …/bulk`: what to say, to whom, and how many messages a minute are put into the queue. The
         *     messenger's own limits hold besides.
         * @example {
         *       "recipients": [
         *         "134527512"
         *       ],
         *       "text": "Hello"
         *     }
         */
        BulkBody: {
            /** @default text */
            kind?: components["schemas"]["MessageKind"];
            /** @default  */
            text?: string | "";
            /** @default null */
            media?: components["schemas"]["Media"] | null;
            /** @default null */
            location?: components["schemas"]["Location"] | null;
            /** @default null */
            contact?: components["schemas"]["ContactCard"] | null;
            /** @default null */
            poll?: components["schemas"]["Poll"] | null;
            /** @default null */
            reply_to?: components["schemas"]["MessageRef"] | null;
            /** @default null */
            target?: components["schemas"]["MessageRef"] | null;
            /** @default  */
            emoji?: string;
            /** @default null */
            parse_mode?: ("HTML" | "Markdown" | "MarkdownV2") | null;
            /** @default false */
            disable_web_page_preview?: boolean;
            /** @default false */
            disable_notification?: boolean;
            recipients: string[];
            /** @default 20 */
            per_minute?: number;
        };
        /**
         * BulkDetails
         * @description A bulk message and its recipients, in their order; `total` is how many fit.
         */
        BulkDetails: {
            /**
             * @default true
             * @constant
             */
            success: true;
            bulk: components["schemas"]["Bulk"];
            items: components["schemas"]["BulkItem"][];
            total: number;
            limit: number;
            offset: number;
        };
        /**
         * BulkItem
         * @description The message to one recipient. `message_id` is our id of it, `code` and `error` say why it failed.
         */
        BulkItem: {
            position: number;
            to: string;
            status: components["schemas"]["BulkItemStatus"];
            message_id: string;
            messenger_id: string | null;
            code: string | null;
            error: string | null;
        };
        /**
         * BulkItemStatus
         * @description Where the message to one recipient stands.
         * @enum {string}
         */
        BulkItemStatus: "waiting" | "queued" | "sent" | "failed" | "cancelled";
        /**
         * BulkList
         * @description Bulk messages, the newest first.
         */
        BulkList: {
            /**
             * @default true
             * @constant
             */
            success: true;
            bulks: components["schemas"]["Bulk"][];
            total: number;
        };
        /**
         * BulkStatus
         * @description Where a bulk message stands.
         * @enum {string}
         */
        BulkStatus: "running" | "done" | "cancelled";
        /**
         * Capability
         * @description Something that instances of a provider can do. Kinds of messages are called as in `MessageKind`.
         * @enum {string}
         */
        Capability: "text" | "image" | "document" | "audio" | "voice" | "video" | "sticker" | "location" | "contact" | "poll" | "forward" | "edit" | "delete" | "reaction" | "read" | "typing" | "reply" | "formatting" | "receipts" | "groups" | "group_list" | "group_create" | "group_add" | "group_remove" | "group_admins" | "group_invite" | "qr_login" | "pairing_code" | "phone_login" | "token_login" | "proxy";
        /**
         * Changed
         * @description What became of a change, and where the instance stands now (null: it was deleted meanwhile).
         */
        Changed: {
            /**
             * @default true
             * @constant
             */
            success: true;
            message: string;
            instance: components["schemas"]["Instance"] | null;
        };
        /**
         * Chat
         * @description A chat that messages came from or went to.
         */
        Chat: {
            id: string;
            name: string | null;
            isGroup: boolean;
            lastMessage: string;
            /** Format: date-time */
            lastMessageAt: string;
            /** @default false */
            lastFromMe: boolean;
            /** @default 0 */
            unread: number;
            messageCount: number;
        };
        /**
         * ChatList
         * @description Chats, the latest first.
         */
        ChatList: {
            /**
             * @default true
             * @constant
             */
            success: true;
            chats: components["schemas"]["Chat"][];
            total: number;
        };
        /**
         * ContactCard
         * @description Somebody's name and number.
         */
        ContactCard: {
            name: string;
            phone_number: string;
        };
        /**
         * ContactItem
         * @description Somebody who wrote.
         */
        ContactItem: {
            id: string;
            name: string | null;
            username: string | null;
            phoneNumber: string | null;
            lid: string | null;
            /** Format: date-time */
            lastSeen: string;
        };
        /**
         * ContactList
         * @description Contacts, the latest first.
         */
        ContactList: {
            /**
             * @default true
             * @constant
             */
            success: true;
            contacts: components["schemas"]["ContactItem"][];
            total: number;
        };
        /**
         * ContainerUse
         * @description What one container takes, measured by the engine. `cpu_percent` is since the last look, 100 for a whole core.
         */
        ContainerUse: {
            name: string;
            instance_id: string;
            state: string;
            /** @default null */
            memory_mb: number | null;
            /** @default null */
            memory_limit_mb: number | null;
            /** @default null */
            cpu_percent: number | null;
        };
        /**
         * ContainersReport
         * @description Answer to a request on `mim.rpc.lifecycle.containers`: the containers of instances that have one each.
         *
         *     `engine` is empty where none is configured; `error` says why it could not be asked.
         */
        ContainersReport: {
            /** @default  */
            engine: string;
            /** @default 0 */
            running: number;
            /** @default 0 */
            total: number;
            /** @default [] */
            names: string[];
            /** @default [] */
            containers: components["schemas"]["ContainerUse"][];
            /** @default null */
            error: string | null;
        };
        /**
         * Cpu
         * @description Processors of the machine.
         */
        Cpu: {
            percent: number;
            count: number;
            load_average: [
                number,
                number,
                number
            ];
        };
        /**
         * CreateGroupBody
         * @description Body of `POST …/groups`. People are named as in `to` of a message. The account becomes the group's admin.
         */
        CreateGroupBody: {
            title: string;
            participants: string[];
        };
        /**
         * CreateInstanceBody
         * @description Body of `POST /api/v1/instances`.
         */
        CreateInstanceBody: {
            /** @description Also accepted as `company_id`. */
            user_id: string;
            provider: components["schemas"]["Provider"];
            /** @default null */
            login?: components["schemas"]["LoginKind"] | null;
            type_instance: components["schemas"]["Interface"][];
            /** @default port */
            expose?: components["schemas"]["Expose"];
            /** @default shared */
            isolation?: components["schemas"]["Isolation"];
            /** @default null */
            name?: string | null;
            /** @default true */
            start?: boolean;
            /** @default null */
            config?: components["schemas"]["ProviderConfig"] | null;
            /** @default null */
            token?: string | null;
            /** @default null */
            proxy?: string | null;
            /** @default null */
            api_webhook_schema?: components["schemas"]["WebhookBody"] | null;
        };
        /**
         * CreateTokenBody
         * @description Body of `POST /api/v1/tokens`. Without a `user_id` the token is for the whole system.
         */
        CreateTokenBody: {
            name: string;
            role: components["schemas"]["Role"];
            /** @default null */
            user_id?: string | null;
            /** @default null */
            expires_in_days?: number | null;
        };
        /**
         * Created
         * @description A new instance that has its port and API key.
         */
        Created: {
            /**
             * @default true
             * @constant
             */
            success: true;
            instance_id: string;
            instance: components["schemas"]["Instance"];
            message: string;
            status: components["schemas"]["Status"];
            port: number | null;
            api_key: string;
            process_result: components["schemas"]["ProcessResult"];
        };
        /**
         * CreationDetails
         * @description What was assigned.
         */
        CreationDetails: {
            ports: components["schemas"]["Ports"];
            api_key: string;
        };
        /**
         * CreationPending
         * @description A new instance whose port and key are still being assigned; look at `status_check_url`.
         */
        CreationPending: {
            /**
             * @default true
             * @constant
             */
            success: true;
            instance_id: string;
            instance: components["schemas"]["Instance"] | null;
            message: string;
            status: components["schemas"]["Status"];
            status_check_url: string;
        };
        /**
         * Credentials
         * @description How to call the instance's own port.
         */
        Credentials: {
            /**
             * @default true
             * @constant
             */
            success: true;
            api_key: string;
            api_url: string | null;
        };
        /**
         * CurrentApiKey
         * @description The API key and how it was used.
         */
        CurrentApiKey: {
            /**
             * @default true
             * @constant
             */
            success: true;
            api_key: string;
            data: components["schemas"]["ApiKeyData"];
        };
        /**
         * CurrentQr
         * @description The QR code that waits now, in the older shape.
         */
        CurrentQr: {
            /**
             * @default true
             * @constant
             */
            success: true;
            qr_code: string;
            data: components["schemas"]["QrData"];
        };
        /**
         * Delivery
         * @description One event on its way to the webhook of an instance. `id` is what the target sees as `webhook-id`.
         *
         *     `status_code`, `error`, `response` (the beginning of a refusal) and `duration_ms` are those of the last try.
         */
        Delivery: {
            id: string;
            instance_id: string;
            event_id: string;
            event: string;
            status: components["schemas"]["DeliveryStatus"];
            tries: number;
            next_at: string | null;
            /** Format: date-time */
            created_at: string;
            tried_at: string | null;
            done_at: string | null;
            status_code: number | null;
            error: string | null;
            response: string | null;
            duration_ms: number | null;
        };
        /**
         * DeliveryAnswer
         * @description One delivery, and the body that is sent.
         */
        DeliveryAnswer: {
            /**
             * @default true
             * @constant
             */
            success: true;
            delivery: components["schemas"]["Delivery"];
            body: {
                [key: string]: unknown;
            };
        };
        /**
         * DeliveryList
         * @description Deliveries to the webhook of an instance, the newest first. `total` is how many fit, `counts` how many there are
         *     by status.
         */
        DeliveryList: {
            /**
             * @default true
             * @constant
             */
            success: true;
            deliveries: components["schemas"]["Delivery"][];
            total: number;
            counts: {
                [key: string]: number;
            };
            limit: number;
            offset: number;
        };
        /**
         * DeliveryStatus
         * @description Where a delivery stands.
         * @enum {string}
         */
        DeliveryStatus: "pending" | "delivered" | "failed";
        /**
         * Desired
         * @description What the owner asked for; `Status` is what is observed.
         * @enum {string}
         */
        Desired: "running" | "stopped" | "logged_out" | "deleted";
        /**
         * ErrorAnswer
         * @description What went wrong, in a sentence for a person and a code for programs; `request_id` finds it in the logs.
         *
         *     `details` name the fields that do not fit; the rest says where the instance or message stands, where that matters.
         */
        ErrorAnswer: {
            /**
             * @default false
             * @constant
             */
            success: false;
            error: string;
            code: components["schemas"]["ErrorCode"];
            request_id: string;
            /** @default [] */
            details?: components["schemas"]["Problem"][];
            /** @default null */
            instance_id?: string | null;
            /** @default null */
            status?: components["schemas"]["Status"] | null;
            /** @default null */
            auth_status?: components["schemas"]["AuthStatus"] | null;
            /** @default null */
            reason?: components["schemas"]["Reason"] | null;
            /** @default null */
            id?: string | null;
            /** @default null */
            to?: string | null;
        };
        /**
         * ErrorCode
         * @description The `code` of an error answer, a reason or a failed message.
         * @enum {string}
         */
        ErrorCode: "BAD_JSON" | "INVALID_FIELDS" | "INVALID_ID" | "INVALID_MESSAGE" | "TOO_LARGE" | "UNAUTHORIZED" | "FORBIDDEN_ORIGIN" | "NOT_FOUND" | "ROUTE_NOT_FOUND" | "METHOD_NOT_ALLOWED" | "QR_NOT_AVAILABLE" | "NOT_READY" | "ALREADY_EXISTS" | "IDEMPOTENCY_CONFLICT" | "PORTS_EXHAUSTED" | "PORT_TAKEN" | "NO_WORKER" | "NO_OTHER_WORKER" | "WORKER_LOST" | "NO_ENGINE" | "NO_IMAGE" | "ENGINE_REFUSED" | "CONTAINER_STARTING" | "CONTAINER_ENDED" | "OUT_OF_MEMORY" | "BUS_UNAVAILABLE" | "STORAGE_FULL" | "SHUTTING_DOWN" | "TIMEOUT" | "INTERNAL" | "FORBIDDEN" | "NOT_SUPPORTED" | "TOO_MANY_REQUESTS" | "MEDIA_UNREACHABLE" | "MEDIA_REFUSED" | "MESSENGER_UNREACHABLE" | "MESSENGER_REFUSED" | "RATE_LIMITED" | "RECIPIENT_UNKNOWN" | "RECIPIENT_BLOCKED" | "REACHOUT_LOCKED" | "TOKEN_MISSING" | "TOKEN_REJECTED" | "OTHER_POLLER" | "QR_EXPIRED" | "PASSKEY_REQUIRED" | "CODE_REQUIRED" | "PASSWORD_REQUIRED" | "LOGGED_OUT" | "LOGIN_REPLACED" | "SESSION_CRASHED" | "GAVE_UP" | "UNCERTAIN" | "REQUESTED";
        /**
         * ErrorHistory
         * @description What went wrong since the errors were last cleared, newest first.
         */
        ErrorHistory: {
            /**
             * @default true
             * @constant
             */
            success: true;
            data: components["schemas"]["PastError"][];
            count: number;
            limit: number;
        };
        /**
         * ErrorInfo
         * @description What went wrong since the errors were last cleared.
         */
        ErrorInfo: {
            error_count: number;
            error_history: components["schemas"]["ErrorItem"][];
        };
        /**
         * ErrorItem
         * @description Something that went wrong.
         */
        ErrorItem: {
            error_id: string;
            error_type: string;
            error_message: string;
            /** Format: date-time */
            timestamp: string;
        };
        /**
         * Expose
         * @description How an instance is reached.
         * @enum {string}
         */
        Expose: "port" | "gateway";
        /**
         * Group
         * @description A group. `id` is the chat to write to.
         *
         *     `participants` are those that the messenger shows: a bot sees admins only, nobody all members of a very large group;
         *     `participants_count` counts all. `created_at` is right to about a minute on WhatsApp.
         */
        Group: {
            id: string;
            title: string;
            /** @default null */
            owner: string | null;
            /** @default null */
            created_at: string | null;
            /** @default 0 */
            participants_count: number;
            /** @default [] */
            participants: components["schemas"]["GroupParticipant"][];
        };
        /**
         * GroupAnswer
         * @description A group.
         */
        GroupAnswer: {
            /**
             * @default true
             * @constant
             */
            success: true;
            group: components["schemas"]["Group"];
        };
        /**
         * GroupItem
         * @description A group as a chat. Of one in which nothing was written there is no last message; `participantsCount` is null
         *     where the messenger was not asked, or where the account is in the group no more.
         */
        GroupItem: {
            id: string;
            name: string | null;
            /**
             * @default true
             * @constant
             */
            isGroup: true;
            /** @default  */
            lastMessage: string;
            /** @default null */
            lastMessageAt: string | null;
            /** @default false */
            lastFromMe: boolean;
            /** @default 0 */
            unread: number;
            /** @default 0 */
            messageCount: number;
            /** @default null */
            participantsCount: number | null;
        };
        /**
         * GroupList
         * @description Groups, the latest first.
         */
        GroupList: {
            /**
             * @default true
             * @constant
             */
            success: true;
            groups: components["schemas"]["GroupItem"][];
            total: number;
            /** @default stored */
            source: components["schemas"]["GroupSource"];
        };
        /**
         * GroupParticipant
         * @description Somebody in a group. `id` is as in events: Telegram's number of the person; on WhatsApp the phone number, or the
         *     hidden id (`lid`) where that is not told. `problem` is why a change was not made for this one.
         */
        GroupParticipant: {
            id: string;
            /** @default null */
            name: string | null;
            /** @default null */
            username: string | null;
            /** @default null */
            phone_number: string | null;
            /** @default null */
            lid: string | null;
            /** @default false */
            is_admin: boolean;
            /** @default null */
            problem: components["schemas"]["ParticipantProblem"] | null;
        };
        /**
         * GroupSource
         * @description Where a list of groups comes from.
         * @enum {string}
         */
        GroupSource: "account" | "stored";
        /**
         * Health
         * @description Which parts work. 503 while one is down.
         */
        Health: {
            success: boolean;
            /** @enum {string} */
            status: "healthy" | "degraded";
            uptime: number;
            /** Format: date-time */
            timestamp: string;
            version: string;
            sandbox: boolean;
            services: {
                [key: string]: "up" | "down";
            };
        };
        /**
         * Instance
         * @description An instance as callers see it. No secret is in it.
         */
        Instance: {
            id: string;
            instance_id: string;
            user_id: string;
            company_id: string;
            name: string | null;
            provider: components["schemas"]["Provider"];
            login: components["schemas"]["LoginKind"] | null;
            type_instance: components["schemas"]["Interface"][];
            expose: components["schemas"]["Expose"];
            isolation: components["schemas"]["Isolation"];
            status: components["schemas"]["Status"];
            auth_status: components["schemas"]["AuthStatus"];
            is_ready_for_messages: boolean;
            desired: components["schemas"]["Desired"];
            account: string | null;
            phone_number: string | null;
            whatsapp_state: string | null;
            port_api: number | null;
            port_mcp: number | null;
            port: number | null;
            ports: components["schemas"]["Ports"];
            worker: string | null;
            epoch: number;
            api_webhook_schema: components["schemas"]["Webhook"] | null;
            token_hint: string | null;
            has_proxy: boolean;
            message_stats: components["schemas"]["MessageStats"];
            reason: components["schemas"]["Reason"];
            restriction: components["schemas"]["Restriction"] | null;
            observed_at: string | null;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            updated_at: string;
            last_seen: string | null;
            /** @enum {string} */
            memory_status: "active" | "inactive";
        };
        /**
         * InstanceAnswer
         * @description One instance.
         */
        InstanceAnswer: {
            /**
             * @default true
             * @constant
             */
            success: true;
            instance: components["schemas"]["Instance"];
        };
        /**
         * InstanceList
         * @description A page of the instances that fit; `total` is how many fit.
         */
        InstanceList: {
            /**
             * @default true
             * @constant
             */
            success: true;
            instances: components["schemas"]["Instance"][];
            total: number;
            limit: number;
            offset: number;
        };
        /**
         * InstanceMemory
         * @description Everything that is remembered of an instance in figures.
         */
        InstanceMemory: {
            instance_id: string;
            user_id: string;
            provider: components["schemas"]["Provider"];
            type_instance: components["schemas"]["Interface"][];
            status: components["schemas"]["Status"];
            auth_status: components["schemas"]["AuthStatus"];
            api_key_usage_count: number;
            api_key_first_use: string | null;
            api_key_last_use: string | null;
            is_ready_for_messages: boolean;
            last_seen: string | null;
            whatsapp_user: components["schemas"]["WhatsAppUser"];
            message_stats: components["schemas"]["MessageStats"];
            system_info: components["schemas"]["SystemInfo"];
            error_info: components["schemas"]["ErrorInfo"];
            memory: components["schemas"]["MemoryEstimate"];
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            updated_at: string;
        };
        /**
         * InstancesTotal
         * @description All instances.
         */
        InstancesTotal: {
            /**
             * @default true
             * @constant
             */
            success: true;
            instances: components["schemas"]["Instance"][];
            total: number;
        };
        /**
         * Interface
         * @description What an instance offers on a port of its own.
         * @enum {string}
         */
        Interface: "api" | "mcp";
        /**
         * InviteAnswer
         * @description The link by which anybody can come into the group.
         */
        InviteAnswer: {
            /**
             * @default true
             * @constant
             */
            success: true;
            link: string;
        };
        /**
         * Isolation
         * @description With whom an instance shares its worker.
         * @enum {string}
         */
        Isolation: "shared" | "container";
        /**
         * Location
         * @description A place on the map, in degrees.
         */
        Location: {
            latitude: number;
            longitude: number;
            /** @default null */
            name?: string | null;
            /** @default null */
            address?: string | null;
        };
        /**
         * LogLevel
         * @description How serious a log line is, in rising order.
         * @enum {string}
         */
        LogLevel: "debug" | "info" | "warning" | "error" | "critical";
        /**
         * LogLine
         * @description Subject `mim.log.<id>`: one line that concerns an instance. Escape sequences and secrets are taken out of it
         *     where it is written. `source` is the service.
         */
        LogLine: {
            /** Format: date-time */
            timestamp: string;
            level: components["schemas"]["LogLevel"];
            message: string;
            source: string;
        };
        /**
         * LoginAnswer
         * @description Where the login stands.
         */
        LoginAnswer: {
            /**
             * @default true
             * @constant
             */
            success: true;
            login_step: components["schemas"]["LoginStep"];
            status: components["schemas"]["Status"];
        };
        /**
         * LoginBody
         * @description Body of `POST …/login`: the fields that the present login step names.
         */
        LoginBody: {
            /** @default null */
            phone_number?: string | null;
            /** @default null */
            token?: string | null;
            /** @default null */
            code?: string | null;
            /** @default null */
            password?: string | null;
        };
        /**
         * LoginField
         * @description One thing that a login step asks for.
         */
        LoginField: {
            /** @enum {string} */
            name: "phone_number" | "token" | "code" | "password";
            label: string;
            required: boolean;
            /** @default false */
            secret: boolean;
        };
        /**
         * LoginKind
         * @description As what an account of a provider logs in, where there is a choice.
         * @enum {string}
         */
        LoginKind: "bot" | "user";
        /**
         * LoginStep
         * @description The one thing that is next for the login. `code` is the raw text of the QR code, or the code to be typed.
         */
        LoginStep: {
            /** @enum {string} */
            type: "display_qr" | "display_code" | "input_phone" | "input_code" | "input_password" | "passkey" | "confirm" | "done";
            instructions: string;
            /** @default [] */
            fields: components["schemas"]["LoginField"][];
            /** @default null */
            code: string | null;
            /** @default null */
            expires_at: string | null;
        };
        /**
         * LogsAnswer
         * @description The newest log lines of an instance, oldest first; `total_lines` is how many of this level are kept.
         */
        LogsAnswer: {
            /**
             * @default true
             * @constant
             */
            success: true;
            logs: components["schemas"]["LogLine"][];
            total_lines: number;
            tail: number;
        };
        /**
         * Media
         * @description A file to be sent: what was uploaded before (`upload` is its id), or fetched from `source` by the worker just
         *     before it is sent.
         * @example {
         *       "kind": "image",
         *       "source": "https://example.com/picture.png"
         *     }
         */
        Media: {
            kind: components["schemas"]["MediaKind"];
            /** @default null */
            source?: string | null;
            /** @default null */
            upload?: string | null;
            /** @default null */
            file_name?: string | null;
        };
        /**
         * MediaKind
         * @description What a file is shown as at the messenger.
         * @enum {string}
         */
        MediaKind: "image" | "document" | "audio" | "voice" | "video" | "sticker";
        /**
         * MemoryAnswer
         * @description The figures of an instance.
         */
        MemoryAnswer: {
            /**
             * @default true
             * @constant
             */
            success: true;
            data: components["schemas"]["InstanceMemory"];
            /** Format: date-time */
            timestamp: string;
        };
        /**
         * MemoryEstimate
         * @description What the session takes in memory: its worker's measured memory over the sessions it holds. An estimate; null
         *     while no worker holds it.
         */
        MemoryEstimate: {
            estimated_mb: number | null;
            /**
             * @default worker memory divided by its sessions
             * @constant
             */
            basis: "worker memory divided by its sessions";
        };
        /**
         * MemoryStats
         * @description Figures over all instances of the caller. `memory_usage_mb` is what all workers measure, for operators of the
         *     whole system; for a user it is estimated from that by the number of sessions.
         */
        MemoryStats: {
            total_instances: number;
            active_instances: number;
            authenticated_instances: number;
            error_instances: number;
            qr_pending_instances: number;
            memory_usage_mb: number;
            avg_uptime_hours: number;
            total_messages_today: number;
            by_provider: {
                [key: string]: number;
            };
        };
        /**
         * MemoryStatsAnswer
         * @description Figures over all instances.
         */
        MemoryStatsAnswer: {
            /**
             * @default true
             * @constant
             */
            success: true;
            stats: components["schemas"]["MemoryStats"];
        };
        /**
         * MessageAnswer
         * @description A success that is told in a sentence.
         */
        MessageAnswer: {
            /**
             * @default true
             * @constant
             */
            success: true;
            message: string;
        };
        /**
         * MessageKind
         * @description What a message is, or what is done to one. `edit`, `delete`, `reaction` and `read` concern `target`, which
         *     `forward` copies; `typing` shows that the account is writing.
         * @enum {string}
         */
        MessageKind: "text" | "image" | "document" | "audio" | "voice" | "video" | "sticker" | "location" | "contact" | "poll" | "forward" | "edit" | "delete" | "reaction" | "read" | "typing";
        /**
         * MessageList
         * @description The newest messages of a chat, newest first.
         */
        MessageList: {
            /**
             * @default true
             * @constant
             */
            success: true;
            messages: components["schemas"]["StoredMessage"][];
            chatId: string;
            total: number;
        };
        /**
         * MessageRef
         * @description A message that is there already, by the messenger's own id.
         *
         *     `chat_id` is where it is, if that is not the chat written to. WhatsApp also wants to know whose it is: `from_me`,
         *     and in a group `sender`, the contact's id.
         */
        MessageRef: {
            id: string;
            /** @default null */
            chat_id?: string | null;
            /** @default false */
            from_me?: boolean;
            /** @default null */
            sender?: string | null;
        };
        /**
         * MessageStats
         * @description Messages counted from the events; the day is UTC.
         */
        MessageStats: {
            /** @default 0 */
            sent_count: number;
            /** @default 0 */
            received_count: number;
            /** @default 0 */
            daily_sent: number;
            /** @default 0 */
            daily_received: number;
            /** @default null */
            daily_reset_at: string | null;
        };
        /**
         * PairingCode
         * @description A code that is typed on the phone instead of scanning a QR code.
         */
        PairingCode: {
            /**
             * @default true
             * @constant
             */
            success: true;
            code: string;
            expires_in: number;
            /** Format: date-time */
            expires_at: string;
        };
        /**
         * PairingCodeBody
         * @description Body of `POST …/pairing-code`: the phone that shall be linked, with its country code.
         */
        PairingCodeBody: {
            phone_number: string;
        };
        /**
         * ParticipantChange
         * @description What can be done to people in a group.
         * @enum {string}
         */
        ParticipantChange: "add" | "remove" | "promote" | "demote";
        /**
         * ParticipantProblem
         * @description Why a change was not made for one person.
         * @enum {string}
         */
        ParticipantProblem: "not_allowed" | "not_found" | "already_there" | "refused";
        /**
         * ParticipantsAnswer
         * @description Those who were named, with the problem where nothing was done.
         */
        ParticipantsAnswer: {
            /**
             * @default true
             * @constant
             */
            success: true;
            participants: components["schemas"]["GroupParticipant"][];
        };
        /**
         * ParticipantsBody
         * @description Body of `POST …/groups/{group}/participants`.
         */
        ParticipantsBody: {
            action: components["schemas"]["ParticipantChange"];
            participants: string[];
        };
        /**
         * PastError
         * @description Something that went wrong.
         */
        PastError: {
            error: string;
            /** Format: date-time */
            timestamp: string;
            source: string;
            code: string;
        };
        /**
         * Performance
         * @description Requests to the gateway since `lastResetTime` (its start); times in ms. `portAssignmentTime` are the newest
         *     assignments.
         */
        Performance: {
            portAssignmentTime: number[];
            concurrentRequests: number;
            failureRate: number;
            averageResponseTime: number;
            peakConcurrency: number;
            /** Format: date-time */
            lastResetTime: string;
        };
        /**
         * PerformanceAnswer
         * @description What the running system measures of itself.
         */
        PerformanceAnswer: {
            /**
             * @default true
             * @constant
             */
            success: true;
            performance: components["schemas"]["Performance"];
            portAssignment: components["schemas"]["PortAssignment"];
            systemHealth: components["schemas"]["SystemHealth"];
        };
        /**
         * Poll
         * @description A question with answers to choose from: one, or with `multiple` several.
         */
        Poll: {
            question: string;
            options: string[];
            /** @default false */
            multiple?: boolean;
        };
        /**
         * PortAssignment
         * @description Port assignments of all allocators since they started; times in ms.
         */
        PortAssignment: {
            totalRequests: number;
            successfulRequests: number;
            failedRequests: number;
            averageTime: number;
            minTime: number;
            maxTime: number;
            concurrentPeak: number;
            currentConcurrent: number;
        };
        /**
         * PortHealth
         * @description The instance's port answers.
         */
        PortHealth: {
            /**
             * @default healthy
             * @constant
             */
            status: "healthy";
            provider: components["schemas"]["Provider"];
            /** Format: date-time */
            timestamp: string;
        };
        /**
         * PortRange
         * @description From the first to the last.
         */
        PortRange: {
            start: number;
            end: number;
        };
        /**
         * PortStatistics
         * @description Ports in numbers. `reservedPorts` are taken by instances that do not serve them yet.
         */
        PortStatistics: {
            totalPorts: number;
            usedPorts: number;
            availablePorts: number;
            reservedPorts: number;
            portRange: components["schemas"]["PortRange"];
            utilizationPercent: number;
            assignmentMetrics: components["schemas"]["PortAssignment"];
        };
        /**
         * PortStatus
         * @description Where the instance stands, and since when; `queue` is null while the bus is away.
         */
        PortStatus: {
            /**
             * @default true
             * @constant
             */
            success: true;
            instance_id: string;
            provider: components["schemas"]["Provider"];
            status: components["schemas"]["Status"];
            is_ready_for_messages: boolean;
            reason: components["schemas"]["Reason"];
            /** Format: date-time */
            since: string;
            account: components["schemas"]["Account"] | null;
            observed_at: string | null;
            restriction: components["schemas"]["Restriction"] | null;
            queue: components["schemas"]["QueueFigures"] | null;
        };
        /**
         * Ports
         * @description The instance's own ports; one for each interface it offers.
         */
        Ports: {
            /** @default null */
            api: number | null;
            /** @default null */
            mcp: number | null;
        };
        /**
         * PortsAnswer
         * @description Ports that instances have and may get.
         */
        PortsAnswer: {
            /**
             * @default true
             * @constant
             */
            success: true;
            used_ports: number[];
            available_ports: number[];
            port_range: components["schemas"]["PortRange"];
            total_ports: number;
            utilization_percent: number;
        };
        /**
         * Problem
         * @description What is wrong with one field.
         */
        Problem: {
            field: string;
            problem: string;
        };
        /**
         * ProcessItem
         * @description One process of the system, with its child processes.
         */
        ProcessItem: {
            service: string;
            host: string;
            memory_mb: number;
            cpu_percent: number;
            uptime: number;
        };
        /**
         * ProcessResult
         * @description The older place of what was assigned.
         */
        ProcessResult: {
            /**
             * @default true
             * @constant
             */
            success: true;
            details: components["schemas"]["CreationDetails"];
        };
        /**
         * Provider
         * @description A kind of messenger for which an adapter exists.
         * @enum {string}
         */
        Provider: "whatsappweb" | "telegram";
        /**
         * ProviderConfig
         * @description The older place of the bot token.
         */
        ProviderConfig: {
            /** @default null */
            bot_token?: string | null;
        };
        /**
         * ProviderDescription
         * @description A provider as a form needs to know it. Where accounts log in in several ways, `logins` has what each can do;
         *     `capabilities` is what the first of them can.
         */
        ProviderDescription: {
            id: components["schemas"]["Provider"];
            title: string;
            fields: components["schemas"]["ProviderField"][];
            capabilities: components["schemas"]["Capability"][];
            /** @default {} */
            logins: {
                [key: string]: components["schemas"]["Capability"][];
            };
        };
        /**
         * ProviderField
         * @description One field of the body that creates or changes an instance. `pattern` is a regular expression for the whole value;
         *     secrets are never shown again. `choices`, if there are any, are all values, the first one when nothing is chosen;
         *     `when` says with which values of other fields this one belongs to the form.
         */
        ProviderField: {
            /** @enum {string} */
            name: "login" | "token" | "proxy";
            label: string;
            help: string;
            required: boolean;
            secret: boolean;
            pattern: string;
            example: string;
            /** @default [] */
            choices: string[];
            /** @default {} */
            when: {
                [key: string]: string;
            };
        };
        /**
         * ProviderInfo
         * @description What else is known of an instance.
         */
        ProviderInfo: {
            account: components["schemas"]["Account"] | null;
            reason: components["schemas"]["Reason"];
            port: number | null;
            last_seen: string | null;
            is_ready_for_messages: boolean;
        };
        /**
         * ProviderItem
         * @description A provider: what it asks for, what it can do, and how its instances of the caller do.
         */
        ProviderItem: {
            description: components["schemas"]["ProviderDescription"];
            workers: number;
            instances: number;
            active: number;
            ready: number;
        };
        /**
         * ProviderStats
         * @description The instances of one provider.
         */
        ProviderStats: {
            count: number;
            ready: number;
            instances: string[];
        };
        /**
         * ProviderStatsAnswer
         * @description Counts by provider; every provider is in it.
         */
        ProviderStatsAnswer: {
            /**
             * @default true
             * @constant
             */
            success: true;
            stats: {
                [key: string]: components["schemas"]["ProviderStats"];
            };
            /** Format: date-time */
            timestamp: string;
        };
        /**
         * ProviderStatus
         * @description Where one instance stands; `state` in the words of its provider.
         */
        ProviderStatus: {
            /**
             * @default true
             * @constant
             */
            success: true;
            provider: components["schemas"]["Provider"];
            status: components["schemas"]["Status"];
            state: string;
            info: components["schemas"]["ProviderInfo"];
        };
        /**
         * ProvidersAnswer
         * @description Every provider that there is; one without workers cannot start instances now.
         */
        ProvidersAnswer: {
            /**
             * @default true
             * @constant
             */
            success: true;
            providers: components["schemas"]["ProviderItem"][];
        };
        /**
         * QrAnswer
         * @description The QR code that waits now.
         */
        QrAnswer: {
            qr_code: string;
            code: string;
            expires_in: number;
            /** Format: date-time */
            expires_at: string;
            auth_status: components["schemas"]["AuthStatus"];
            /**
             * @default true
             * @constant
             */
            success: true;
        };
        /**
         * QrData
         * @description A QR code that waits to be scanned: as a picture, and the raw text in it.
         */
        QrData: {
            qr_code: string;
            code: string;
            expires_in: number;
            /** Format: date-time */
            expires_at: string;
            auth_status: components["schemas"]["AuthStatus"];
        };
        /**
         * QrHistory
         * @description QR codes that were shown, newest first.
         */
        QrHistory: {
            /**
             * @default true
             * @constant
             */
            success: true;
            data: components["schemas"]["QrShown"][];
            count: number;
            limit: number;
        };
        /**
         * QrShown
         * @description A QR code that was shown; the code itself is not kept here.
         */
        QrShown: {
            /** Format: date-time */
            generated_at: string;
            /** Format: date-time */
            expires_at: string;
            source: string;
        };
        /**
         * QueueFigures
         * @description What waits to be sent, and for how long the oldest has.
         */
        QueueFigures: {
            depth: number;
            oldest_age_s: number;
        };
        /**
         * Queued
         * @description The message is stored and not sent yet; an event with this `id` follows.
         */
        Queued: {
            /**
             * @default true
             * @constant
             */
            success: true;
            id: string;
            /**
             * @default queued
             * @constant
             */
            status: "queued";
            to: string;
            provider: components["schemas"]["Provider"];
        };
        /**
         * Reason
         * @description Why the status is what it is, and what a person can do about it.
         */
        Reason: {
            code: string;
            message: string;
            /** @default none */
            user_action: components["schemas"]["UserAction"];
            /** Format: date-time */
            since: string;
        };
        /**
         * Redelivered
         * @description How many deliveries wait once more, from their first try on.
         */
        Redelivered: {
            /**
             * @default true
             * @constant
             */
            success: true;
            message: string;
            redelivered: number;
        };
        /**
         * ResourcesAnswer
         * @description The machine that the gateway runs on, and the system's processes. `containers` is null without an engine.
         */
        ResourcesAnswer: {
            /**
             * @default true
             * @constant
             */
            success: true;
            cpu: components["schemas"]["Cpu"];
            memory: components["schemas"]["Space"];
            disk: components["schemas"]["Space"];
            uptime: number;
            processes: components["schemas"]["ProcessItem"][];
            containers: components["schemas"]["ContainersReport"] | null;
            /** Format: date-time */
            timestamp: string;
        };
        /**
         * Restriction
         * @description A limit that the messenger put on the account; the sender obeys it.
         */
        Restriction: {
            kind: string;
            scope: string;
            /** @default null */
            until: string | null;
        };
        /**
         * Role
         * @description What a caller may do; each may do what the ones before it may.
         * @enum {string}
         */
        Role: "viewer" | "operator" | "admin";
        /**
         * SendBody
         * @description Body of `POST …/messages`: anything that can be said or done in a chat.
         *
         *     While the instance is not ready this is refused; with `queue` it waits, at most `expires_in_s`.
         * @example {
         *       "text": "Hello",
         *       "to": "134527512"
         *     }
         */
        SendBody: {
            /** @default text */
            kind?: components["schemas"]["MessageKind"];
            /** @default  */
            text?: string | "";
            /** @default null */
            media?: components["schemas"]["Media"] | null;
            /** @default null */
            location?: components["schemas"]["Location"] | null;
            /** @default null */
            contact?: components["schemas"]["ContactCard"] | null;
            /** @default null */
            poll?: components["schemas"]["Poll"] | null;
            /** @default null */
            reply_to?: components["schemas"]["MessageRef"] | null;
            /** @default null */
            target?: components["schemas"]["MessageRef"] | null;
            /** @default  */
            emoji?: string;
            /** @default null */
            parse_mode?: ("HTML" | "Markdown" | "MarkdownV2") | null;
            /** @default false */
            disable_web_page_preview?: boolean;
            /** @default false */
            disable_notification?: boolean;
            to: string;
            /** @default false */
            queue?: boolean;
            /** @default 120 */
            expires_in_s?: number;
        };
        /**
         * SendMediaBody
         * @description Body of `POST …/multi-provider/instances/{provider}/{id}/send-media`. Without a kind the URL's ending decides.
         */
        SendMediaBody: {
            to: string;
            /**
             * Format: uri
             * @description Also accepted as `media_url`.
             */
            mediaUrl: string;
            /** @default  */
            caption?: string;
            /**
             * @description Also accepted as `media_type`.
             * @default null
             */
            mediaType?: components["schemas"]["MediaKind"] | null;
            /**
             * @description Also accepted as `file_name`.
             * @default null
             */
            fileName?: string | null;
        };
        /**
         * SendMessageBody
         * @description Body of `POST …/multi-provider/instances/{provider}/{id}/send-message`.
         */
        SendMessageBody: {
            to: string;
            message: string;
        };
        /**
         * Sent
         * @description The messenger took the message. `id` is ours, `messageId` the messenger's.
         */
        Sent: {
            /**
             * @default true
             * @constant
             */
            success: true;
            id: string;
            messageId: string;
            message_id: string;
            to: string;
            provider: components["schemas"]["Provider"];
            /** Format: date-time */
            timestamp: string;
        };
        /**
         * Session
         * @description Who calls. `needs_token` says whether this gateway wants credentials at all.
         */
        Session: {
            /**
             * @default true
             * @constant
             */
            success: true;
            name: string;
            role: components["schemas"]["Role"];
            user_id: string | null;
            needs_token: boolean;
        };
        /**
         * Space
         * @description Memory or disk of the machine.
         */
        Space: {
            total_mb: number;
            used_mb: number;
            available_mb: number;
            percent: number;
        };
        /**
         * Status
         * @description Where an instance stands, in one word.
         * @enum {string}
         */
        Status: "pending" | "starting" | "qr_ready" | "action_required" | "authenticated" | "client_ready" | "reconnecting" | "logged_out" | "stopped" | "error" | "deleted";
        /**
         * StatusChange
         * @description One change of status. `source` is the service or worker that told it, `actor` who or what caused it.
         */
        StatusChange: {
            status: components["schemas"]["Status"];
            /** Format: date-time */
            timestamp: string;
            source: string;
            message: string;
            code: string;
            actor: string;
            epoch: number;
        };
        /**
         * StatusHistory
         * @description Changes of status, newest first.
         */
        StatusHistory: {
            /**
             * @default true
             * @constant
             */
            success: true;
            data: components["schemas"]["StatusChange"][];
            count: number;
            limit: number;
        };
        /**
         * StoredMedia
         * @description The file of a message.
         */
        StoredMedia: {
            kind: components["schemas"]["MediaKind"];
            mimeType: string | null;
            fileName: string | null;
            sizeBytes: number | null;
        };
        /**
         * StoredMessage
         * @description A message that came in or went out, as it is now. `messageId` is our id of what was sent through us, `reactions`
         *     are by contact; the account's own is under `me`.
         */
        StoredMessage: {
            id: string;
            /** @default null */
            messageId: string | null;
            chatId: string;
            fromMe: boolean;
            body: string;
            type: string;
            isGroup: boolean;
            /** Format: date-time */
            timestamp: string;
            contact: string | null;
            /** @default null */
            contactId: string | null;
            /**
             * @default received
             * @enum {string}
             */
            status: "received" | "sent" | "delivered" | "read";
            /** @default null */
            replyTo: string | null;
            /** @default false */
            forwarded: boolean;
            /** @default false */
            edited: boolean;
            /** @default false */
            deleted: boolean;
            /** @default null */
            media: components["schemas"]["StoredMedia"] | null;
            /** @default {} */
            reactions: {
                [key: string]: string;
            };
        };
        /**
         * StoredMessages
         * @description A page of stored messages, newest first.
         */
        StoredMessages: {
            /**
             * @default true
             * @constant
             */
            success: true;
            messages: components["schemas"]["StoredMessage"][];
            total: number;
            limit: number;
            offset: number;
        };
        /**
         * StoredStats
         * @description What is stored.
         */
        StoredStats: {
            total: number;
            sent: number;
            received: number;
            chats: number;
            groups: number;
            oldest: string | null;
            newest: string | null;
        };
        /**
         * StoredStatsAnswer
         * @description What is stored.
         */
        StoredStatsAnswer: {
            /**
             * @default true
             * @constant
             */
            success: true;
            stats: components["schemas"]["StoredStats"];
        };
        /**
         * SystemHealth
         * @description Whether something needs attention, and what to do about it.
         */
        SystemHealth: {
            /** @enum {string} */
            status: "healthy" | "warning" | "critical";
            issues: string[];
            recommendations: string[];
            portStatistics: components["schemas"]["PortStatistics"];
        };
        /**
         * SystemHealthAnswer
         * @description Whether something needs attention.
         */
        SystemHealthAnswer: {
            /**
             * @default true
             * @constant
             */
            success: true;
            systemHealth: components["schemas"]["SystemHealth"];
        };
        /**
         * SystemInfo
         * @description How the session does.
         */
        SystemInfo: {
            restart_count: number;
            health_check_count: number;
            consecutive_failures: number;
            uptime_start: string | null;
        };
        /**
         * TelegramMediaBody
         * @description Body of `POST /api/v1/telegram/send-media` on an instance's own port.
         */
        TelegramMediaBody: {
            /** @description Also accepted as `chat_id`. */
            chatId: string;
            /** Format: uri */
            source: string;
            /** @default  */
            caption?: string;
            /**
             * @description Also accepted as `media_type`.
             * @default null
             */
            mediaType?: components["schemas"]["MediaKind"] | null;
            /**
             * @description Also accepted as `file_name`.
             * @default null
             */
            fileName?: string | null;
        };
        /**
         * TelegramSendBody
         * @description Body of `POST /api/v1/telegram/send` and `/send-telegram-message` on an instance's own port.
         */
        TelegramSendBody: {
            /** @description Also accepted as `chat_id`. */
            chatId: string;
            message: string;
            /**
             * @description Also accepted as `parse_mode`.
             * @default null
             */
            parseMode?: ("HTML" | "Markdown" | "MarkdownV2") | null;
            /**
             * @description Also accepted as `disable_web_page_preview`.
             * @default false
             */
            disableWebPagePreview?: boolean;
            /**
             * @description Also accepted as `disable_notification`.
             * @default false
             */
            disableNotification?: boolean;
        };
        /**
         * TelegramSent
         * @description Telegram took the message. `id` is ours.
         */
        TelegramSent: {
            /**
             * @default true
             * @constant
             */
            success: true;
            id: string;
            messageId: string;
            /**
             * @default telegram
             * @constant
             */
            provider: "telegram";
        };
        /**
         * Token
         * @description An access token, without the token.
         */
        Token: {
            id: string;
            name: string;
            role: components["schemas"]["Role"];
            user_id: string | null;
            /** Format: date-time */
            created_at: string;
            created_by: string;
            expires_at: string | null;
        };
        /**
         * TokenCreated
         * @description A new access token; it is shown this once.
         */
        TokenCreated: {
            /**
             * @default true
             * @constant
             */
            success: true;
            token: string;
            data: components["schemas"]["Token"];
        };
        /**
         * TokenList
         * @description All access tokens, oldest first.
         */
        TokenList: {
            /**
             * @default true
             * @constant
             */
            success: true;
            data: components["schemas"]["Token"][];
            total: number;
        };
        /**
         * UpdateInstanceBody
         * @description Body of `PATCH /api/v1/instances/{id}`: what is left out stays, null removes a name, webhook or proxy.
         */
        UpdateInstanceBody: {
            /** @default null */
            name?: string | null;
            /** @default null */
            api_webhook_schema?: components["schemas"]["WebhookBody"] | null;
            /** @default null */
            token?: string | null;
            /** @default null */
            proxy?: string | null;
        };
        /**
         * Uploaded
         * @description A file that can be sent now, as `media.upload`. The same content always has the same id.
         */
        Uploaded: {
            /**
             * @default true
             * @constant
             */
            success: true;
            upload: string;
            content_type: string | null;
            size_bytes: number;
            /** Format: date-time */
            expires_at: string;
        };
        /**
         * UserAction
         * @description The one thing a person can do about a status.
         * @enum {string}
         */
        UserAction: "none" | "scan_qr" | "enter_code" | "enter_password" | "confirm_on_phone" | "new_token" | "restart" | "wait";
        /**
         * Webhook
         * @description The webhook of an instance without its headers: those are secrets.
         */
        Webhook: {
            /** @default true */
            enabled: boolean;
            url: string;
            /**
             * @default {
             *       "events": [],
             *       "allowGroups": true,
             *       "allowPrivate": true
             *     }
             */
            filters: components["schemas"]["WebhookFilters-Output"];
        };
        /**
         * WebhookAnswer
         * @description The webhook of the instance; null while there is none.
         */
        WebhookAnswer: {
            /**
             * @default true
             * @constant
             */
            success: true;
            webhook: components["schemas"]["Webhook"] | null;
            has_headers: boolean;
        };
        /**
         * WebhookBody
         * @description `api_webhook_schema`: where messages of the instance are reported. Headers are secrets and never shown again.
         */
        WebhookBody: {
            /** @default true */
            enabled?: boolean;
            /** Format: uri */
            url: string;
            /** @default {} */
            headers?: {
                [key: string]: string;
            };
            /**
             * @default {
             *       "events": [],
             *       "allowGroups": true,
             *       "allowPrivate": true
             *     }
             */
            filters?: components["schemas"]["WebhookFilters-Input"];
        };
        /**
         * WebhookFilters
         * @description Which chats reach the webhook, and which events: names such as `message.read` or `client_ready`; without any,
         *     messages that come in.
         */
        "WebhookFilters-Input": {
            /** @default [] */
            events?: string[];
            /** @default true */
            allowGroups?: boolean;
            /** @default true */
            allowPrivate?: boolean;
        };
        /**
         * WebhookFilters
         * @description Which chats reach the webhook, and which events: names such as `message.read` or `client_ready`; without any,
         *     messages that come in.
         */
        "WebhookFilters-Output": {
            /** @default [] */
            events: string[];
            /** @default true */
            allowGroups: boolean;
            /** @default true */
            allowPrivate: boolean;
        };
        /**
         * WebhookSecret
         * @description What signs the webhook of an instance; receivers verify with it.
         */
        WebhookSecret: {
            /**
             * @default true
             * @constant
             */
            success: true;
            secret: string;
        };
        /**
         * WebhookTest
         * @description What the webhook answered to a test message. `delivered` says whether with a status of success.
         */
        WebhookTest: {
            /**
             * @default true
             * @constant
             */
            success: true;
            delivered: boolean;
            status_code: number | null;
            duration_ms: number;
            error: string | null;
        };
        /**
         * WhatsAppSendBody
         * @description Body of `POST /api/v1/send` on an instance's own port: a text, or a file with a caption.
         */
        WhatsAppSendBody: {
            number: string;
            /**
             * @description Also accepted as `media_type`.
             * @default text
             * @enum {string}
             */
            mediaType?: "text" | "image" | "document" | "audio" | "voice" | "video" | "sticker";
            /** @default  */
            message?: string | "";
            /** @default null */
            source?: string | null;
            /** @default  */
            caption?: string;
            /**
             * @description Also accepted as `file_name`.
             * @default null
             */
            fileName?: string | null;
        };
        /**
         * WhatsAppSent
         * @description WhatsApp took the message. `id` is ours.
         */
        WhatsAppSent: {
            /**
             * @default true
             * @constant
             */
            success: true;
            id: string;
            messageId: string;
            messageType: string;
            /**
             * @default whatsappweb
             * @constant
             */
            provider: "whatsappweb";
        };
        /**
         * WhatsAppUser
         * @description Who the account is; the older name is kept for every provider.
         */
        WhatsAppUser: {
            phone_number: string | null;
            account: string | null;
            authenticated_at: string | null;
            last_seen_online: string | null;
        };
        /**
         * WorkerAnswer
         * @description Where a worker stands now.
         */
        WorkerAnswer: {
            /**
             * @default true
             * @constant
             */
            success: true;
            message: string;
            worker: components["schemas"]["WorkerItem"];
        };
        /**
         * WorkerItem
         * @description A worker that lives, and how many of how many instances it has. One that is `drained` has none and gets none: it
         *     may be ended. `only` is the one instance that it is for.
         */
        WorkerItem: {
            name: string;
            provider: components["schemas"]["Provider"];
            host: string;
            /** @enum {string} */
            state: "active" | "draining" | "drained";
            instances: number;
            capacity: number;
            memory_mb: number;
            only: string | null;
        };
        /**
         * WorkersAnswer
         * @description All workers that live.
         */
        WorkersAnswer: {
            /**
             * @default true
             * @constant
             */
            success: true;
            workers: components["schemas"]["WorkerItem"][];
            total: number;
        };
    };
    responses: {
        /** @description `BAD_JSON` */
        Error400: {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ErrorAnswer"] & {
                    /** @enum {unknown} */
                    code?: "BAD_JSON";
                };
            };
        };
        /** @description `UNAUTHORIZED` */
        Error401: {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ErrorAnswer"] & {
                    /** @enum {unknown} */
                    code?: "UNAUTHORIZED";
                };
            };
        };
        /** @description `FORBIDDEN_ORIGIN` */
        Error403: {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ErrorAnswer"] & {
                    /** @enum {unknown} */
                    code?: "FORBIDDEN_ORIGIN";
                };
            };
        };
        /** @description `FORBIDDEN`, `FORBIDDEN_ORIGIN` */
        "Error403-2": {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ErrorAnswer"] & {
                    /** @enum {unknown} */
                    code?: "FORBIDDEN" | "FORBIDDEN_ORIGIN";
                };
            };
        };
        /** @description `NOT_FOUND` */
        Error404: {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ErrorAnswer"] & {
                    /** @enum {unknown} */
                    code?: "NOT_FOUND";
                };
            };
        };
        /** @description `NOT_FOUND`, `QR_NOT_AVAILABLE` */
        "Error404-2": {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ErrorAnswer"] & {
                    /** @enum {unknown} */
                    code?: "NOT_FOUND" | "QR_NOT_AVAILABLE";
                };
            };
        };
        /** @description `NOT_FOUND`, `ROUTE_NOT_FOUND` */
        "Error404-3": {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ErrorAnswer"] & {
                    /** @enum {unknown} */
                    code?: "NOT_FOUND" | "ROUTE_NOT_FOUND";
                };
            };
        };
        /** @description `METHOD_NOT_ALLOWED` */
        Error405: {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                Allow: components["headers"]["Allow"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ErrorAnswer"] & {
                    /** @enum {unknown} */
                    code?: "METHOD_NOT_ALLOWED";
                };
            };
        };
        /** @description `ALREADY_EXISTS`, `IDEMPOTENCY_CONFLICT` */
        Error409: {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ErrorAnswer"] & {
                    /** @enum {unknown} */
                    code?: "ALREADY_EXISTS" | "IDEMPOTENCY_CONFLICT";
                };
            };
        };
        /** @description `IDEMPOTENCY_CONFLICT` */
        "Error409-2": {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ErrorAnswer"] & {
                    /** @enum {unknown} */
                    code?: "IDEMPOTENCY_CONFLICT";
                };
            };
        };
        /** @description `IDEMPOTENCY_CONFLICT`, `NOT_READY` */
        "Error409-3": {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ErrorAnswer"] & {
                    /** @enum {unknown} */
                    code?: "IDEMPOTENCY_CONFLICT" | "NOT_READY";
                };
            };
        };
        /** @description `NOT_READY` */
        "Error409-4": {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ErrorAnswer"] & {
                    /** @enum {unknown} */
                    code?: "NOT_READY";
                };
            };
        };
        /** @description `IDEMPOTENCY_CONFLICT`, `NO_OTHER_WORKER` */
        "Error409-5": {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ErrorAnswer"] & {
                    /** @enum {unknown} */
                    code?: "IDEMPOTENCY_CONFLICT" | "NO_OTHER_WORKER";
                };
            };
        };
        /** @description `TOO_LARGE` */
        Error413: {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ErrorAnswer"] & {
                    /** @enum {unknown} */
                    code?: "TOO_LARGE";
                };
            };
        };
        /** @description `INVALID_FIELDS`, `NO_ENGINE` */
        Error422: {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ErrorAnswer"] & {
                    /** @enum {unknown} */
                    code?: "INVALID_FIELDS" | "NO_ENGINE";
                };
            };
        };
        /** @description `INVALID_FIELDS` */
        "Error422-2": {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ErrorAnswer"] & {
                    /** @enum {unknown} */
                    code?: "INVALID_FIELDS";
                };
            };
        };
        /** @description `INVALID_FIELDS`, `NOT_SUPPORTED` */
        "Error422-3": {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ErrorAnswer"] & {
                    /** @enum {unknown} */
                    code?: "INVALID_FIELDS" | "NOT_SUPPORTED";
                };
            };
        };
        /** @description `TOO_MANY_REQUESTS` */
        Error429: {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                "Retry-After": components["headers"]["Retry-After"];
                RateLimit: components["headers"]["RateLimit"];
                "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ErrorAnswer"] & {
                    /** @enum {unknown} */
                    code?: "TOO_MANY_REQUESTS";
                };
            };
        };
        /** @description `INTERNAL` */
        Error500: {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ErrorAnswer"] & {
                    /** @enum {unknown} */
                    code?: "INTERNAL";
                };
            };
        };
        /** @description `MEDIA_REFUSED`, `MEDIA_UNREACHABLE`, `MESSENGER_REFUSED`, `MESSENGER_UNREACHABLE`, `RATE_LIMITED`, `REACHOUT_LOCKED`, `RECIPIENT_BLOCKED`, `RECIPIENT_UNKNOWN`, `UNCERTAIN` */
        Error502: {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ErrorAnswer"] & {
                    /** @enum {unknown} */
                    code?: "MEDIA_REFUSED" | "MEDIA_UNREACHABLE" | "MESSENGER_REFUSED" | "MESSENGER_UNREACHABLE" | "RATE_LIMITED" | "REACHOUT_LOCKED" | "RECIPIENT_BLOCKED" | "RECIPIENT_UNKNOWN" | "UNCERTAIN";
                };
            };
        };
        /** @description `MEDIA_REFUSED`, `MEDIA_UNREACHABLE`, `MESSENGER_UNREACHABLE` */
        "Error502-2": {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ErrorAnswer"] & {
                    /** @enum {unknown} */
                    code?: "MEDIA_REFUSED" | "MEDIA_UNREACHABLE" | "MESSENGER_UNREACHABLE";
                };
            };
        };
        /** @description `MESSENGER_REFUSED`, `MESSENGER_UNREACHABLE`, `RATE_LIMITED`, `RECIPIENT_BLOCKED`, `RECIPIENT_UNKNOWN`, `UNCERTAIN` */
        "Error502-3": {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ErrorAnswer"] & {
                    /** @enum {unknown} */
                    code?: "MESSENGER_REFUSED" | "MESSENGER_UNREACHABLE" | "RATE_LIMITED" | "RECIPIENT_BLOCKED" | "RECIPIENT_UNKNOWN" | "UNCERTAIN";
                };
            };
        };
        /** @description `BUS_UNAVAILABLE`, `NO_WORKER`, `PORTS_EXHAUSTED`, `STORAGE_FULL` */
        Error503: {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                "Retry-After": components["headers"]["Retry-After"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ErrorAnswer"] & {
                    /** @enum {unknown} */
                    code?: "BUS_UNAVAILABLE" | "NO_WORKER" | "PORTS_EXHAUSTED" | "STORAGE_FULL";
                };
            };
        };
        /** @description `BUS_UNAVAILABLE`, `STORAGE_FULL` */
        "Error503-2": {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                "Retry-After": components["headers"]["Retry-After"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ErrorAnswer"] & {
                    /** @enum {unknown} */
                    code?: "BUS_UNAVAILABLE" | "STORAGE_FULL";
                };
            };
        };
        /** @description `BUS_UNAVAILABLE`, `NO_WORKER`, `STORAGE_FULL` */
        "Error503-3": {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                "Retry-After": components["headers"]["Retry-After"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ErrorAnswer"] & {
                    /** @enum {unknown} */
                    code?: "BUS_UNAVAILABLE" | "NO_WORKER" | "STORAGE_FULL";
                };
            };
        };
        /** @description `BUS_UNAVAILABLE` */
        "Error503-4": {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                "Retry-After": components["headers"]["Retry-After"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ErrorAnswer"] & {
                    /** @enum {unknown} */
                    code?: "BUS_UNAVAILABLE";
                };
            };
        };
        /** @description `BUS_UNAVAILABLE`, `NO_WORKER` */
        "Error503-5": {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                "Retry-After": components["headers"]["Retry-After"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ErrorAnswer"] & {
                    /** @enum {unknown} */
                    code?: "BUS_UNAVAILABLE" | "NO_WORKER";
                };
            };
        };
        /** @description `TIMEOUT` */
        Error504: {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                "Retry-After": components["headers"]["Retry-After"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ErrorAnswer"] & {
                    /** @enum {unknown} */
                    code?: "TIMEOUT";
                };
            };
        };
    };
    parameters: never;
    requestBodies: never;
    headers: {
        /** @description Finds the request in the logs of all services. */
        "X-Request-Id": string;
        /** @description Seconds after which to try again. */
        "Retry-After": number;
        /** @description The methods that are possible here. */
        Allow: string;
        /** @description How many requests are left, and for how many seconds. */
        RateLimit: string;
        /** @description How many requests a caller may send in how many seconds. */
        "RateLimit-Policy": string;
        /** @description `true` where the answer is that of an earlier request with this key. */
        "Idempotent-Replayed": string;
    };
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    health: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Which parts work. 503 while one is down. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Health"];
                };
            };
            403: components["responses"]["Error403"];
            405: components["responses"]["Error405"];
            /** @description Which parts work. 503 while one is down. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Health"];
                };
            };
        };
    };
    list: {
        parameters: {
            query?: {
                /** @description Only what belongs to this user. */
                user_id?: string;
                /** @description Another name of `user_id`. */
                company_id?: string;
                /** @description Only instances of this provider. */
                provider?: components["schemas"]["Provider"];
                /** @description Only what stands here. */
                status?: components["schemas"]["Status"];
                /** @description Only what has this text in it: instances in id, name, user or account, chats and people in their name, messages in their text. */
                search?: string;
                /** @description How many at most. */
                limit?: number;
                /** @description How many to leave out at the beginning. */
                offset?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of the instances that fit; `total` is how many fit. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InstanceList"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            405: components["responses"]["Error405"];
            422: components["responses"]["Error422-2"];
            429: components["responses"]["Error429"];
        };
    };
    create: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and body happen once and give the same answer for 24 hours. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CreateInstanceBody"];
            };
        };
        responses: {
            /** @description A new instance that has its port and API key. */
            201: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Created"];
                };
            };
            /** @description A new instance whose port and key are still being assigned; look at `status_check_url`. */
            202: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CreationPending"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            405: components["responses"]["Error405"];
            409: components["responses"]["Error409"];
            413: components["responses"]["Error413"];
            422: components["responses"]["Error422"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            504: components["responses"]["Error504"];
        };
    };
    batch_status: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and body happen once and give the same answer for 24 hours. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["BatchBody"];
            };
        };
        responses: {
            /** @description Where the instances stand, in the order they were asked for; `not_found` are those that do not exist. */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BatchStatus"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            405: components["responses"]["Error405"];
            409: components["responses"]["Error409-2"];
            413: components["responses"]["Error413"];
            422: components["responses"]["Error422-2"];
            429: components["responses"]["Error429"];
            503: components["responses"]["Error503-2"];
            504: components["responses"]["Error504"];
        };
    };
    memory_stats: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Figures over all instances. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MemoryStatsAnswer"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            405: components["responses"]["Error405"];
            429: components["responses"]["Error429"];
        };
    };
    get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id of the instance. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description One instance. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InstanceAnswer"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404"];
            405: components["responses"]["Error405"];
            429: components["responses"]["Error429"];
        };
    };
    delete: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id of the instance. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A success that is told in a sentence. */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MessageAnswer"];
                };
            };
            /** @description What became of a change, and where the instance stands now (null: it was deleted meanwhile). */
            202: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Changed"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404"];
            405: components["responses"]["Error405"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503-2"];
            504: components["responses"]["Error504"];
        };
    };
    update: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id of the instance. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["UpdateInstanceBody"];
            };
        };
        responses: {
            /** @description One instance. */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InstanceAnswer"];
                };
            };
            /** @description One instance. */
            202: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InstanceAnswer"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404"];
            405: components["responses"]["Error405"];
            413: components["responses"]["Error413"];
            422: components["responses"]["Error422-2"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503-2"];
            504: components["responses"]["Error504"];
        };
    };
    start: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and body happen once and give the same answer for 24 hours. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description Id of the instance. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description What became of a change, and where the instance stands now (null: it was deleted meanwhile). */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Changed"];
                };
            };
            /** @description What became of a change, and where the instance stands now (null: it was deleted meanwhile). */
            202: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Changed"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404"];
            405: components["responses"]["Error405"];
            409: components["responses"]["Error409-2"];
            413: components["responses"]["Error413"];
            422: components["responses"]["Error422-2"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503-2"];
            504: components["responses"]["Error504"];
        };
    };
    stop: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and body happen once and give the same answer for 24 hours. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description Id of the instance. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description What became of a change, and where the instance stands now (null: it was deleted meanwhile). */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Changed"];
                };
            };
            /** @description What became of a change, and where the instance stands now (null: it was deleted meanwhile). */
            202: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Changed"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404"];
            405: components["responses"]["Error405"];
            409: components["responses"]["Error409-2"];
            413: components["responses"]["Error413"];
            422: components["responses"]["Error422-2"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503-2"];
            504: components["responses"]["Error504"];
        };
    };
    restart: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and body happen once and give the same answer for 24 hours. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description Id of the instance. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description What became of a change, and where the instance stands now (null: it was deleted meanwhile). */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Changed"];
                };
            };
            /** @description What became of a change, and where the instance stands now (null: it was deleted meanwhile). */
            202: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Changed"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404"];
            405: components["responses"]["Error405"];
            409: components["responses"]["Error409-2"];
            413: components["responses"]["Error413"];
            422: components["responses"]["Error422-2"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503-2"];
            504: components["responses"]["Error504"];
        };
    };
    logout: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and body happen once and give the same answer for 24 hours. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description Id of the instance. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description What became of a change, and where the instance stands now (null: it was deleted meanwhile). */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Changed"];
                };
            };
            /** @description What became of a change, and where the instance stands now (null: it was deleted meanwhile). */
            202: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Changed"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404"];
            405: components["responses"]["Error405"];
            409: components["responses"]["Error409-2"];
            413: components["responses"]["Error413"];
            422: components["responses"]["Error422-2"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503-2"];
            504: components["responses"]["Error504"];
        };
    };
    qr: {
        parameters: {
            query?: {
                /** @description JSON, a picture, or the code as text. */
                format?: "json" | "png" | "svg" | "ascii" | "raw";
            };
            header?: never;
            path: {
                /** @description Id of the instance. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The QR code that waits now. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["QrAnswer"];
                    "image/png": unknown;
                    "image/svg+xml": string;
                    "text/plain": string;
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404-2"];
            405: components["responses"]["Error405"];
            422: components["responses"]["Error422-2"];
            429: components["responses"]["Error429"];
        };
    };
    current_qr: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id of the instance. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The QR code that waits now, in the older shape. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CurrentQr"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404-2"];
            405: components["responses"]["Error405"];
            429: components["responses"]["Error429"];
        };
    };
    login_step: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id of the instance. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Where the login stands. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LoginAnswer"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404"];
            405: components["responses"]["Error405"];
            429: components["responses"]["Error429"];
        };
    };
    login: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and body happen once and give the same answer for 24 hours. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description Id of the instance. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["LoginBody"];
            };
        };
        responses: {
            /** @description Where the login stands. */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LoginAnswer"];
                };
            };
            /** @description Where the login stands. */
            202: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LoginAnswer"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404"];
            405: components["responses"]["Error405"];
            409: components["responses"]["Error409-3"];
            413: components["responses"]["Error413"];
            422: components["responses"]["Error422-3"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            502: components["responses"]["Error502"];
            503: components["responses"]["Error503-3"];
            504: components["responses"]["Error504"];
        };
    };
    pairing_code: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and body happen once and give the same answer for 24 hours. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description Id of the instance. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PairingCodeBody"];
            };
        };
        responses: {
            /** @description A code that is typed on the phone instead of scanning a QR code. */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PairingCode"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404"];
            405: components["responses"]["Error405"];
            409: components["responses"]["Error409-3"];
            413: components["responses"]["Error413"];
            422: components["responses"]["Error422-3"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            502: components["responses"]["Error502"];
            503: components["responses"]["Error503-3"];
            504: components["responses"]["Error504"];
        };
    };
    auth_status: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id of the instance. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description How far the login is. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AuthStatusAnswer"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404"];
            405: components["responses"]["Error405"];
            429: components["responses"]["Error429"];
        };
    };
    memory: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id of the instance. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The figures of an instance. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MemoryAnswer"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404"];
            405: components["responses"]["Error405"];
            429: components["responses"]["Error429"];
        };
    };
    logs: {
        parameters: {
            query?: {
                /** @description How many of the newest lines. */
                tail?: number;
                /** @description Only lines that are at least so serious. */
                level?: components["schemas"]["LogLevel"];
                /** @description Go on with new lines as Server-Sent Events. */
                follow?: boolean;
            };
            header?: {
                /** @description Begin after this event; browsers send it by themselves when they connect again. */
                "Last-Event-ID"?: number;
            };
            path: {
                /** @description Id of the instance. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The newest log lines of an instance, oldest first; `total_lines` is how many of this level are kept. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LogsAnswer"];
                    "text/event-stream": string;
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404"];
            405: components["responses"]["Error405"];
            422: components["responses"]["Error422-2"];
            429: components["responses"]["Error429"];
            503: components["responses"]["Error503-2"];
            504: components["responses"]["Error504"];
        };
    };
    status_history: {
        parameters: {
            query?: {
                /** @description How many at most. */
                limit?: number;
            };
            header?: never;
            path: {
                /** @description Id of the instance. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Changes of status, newest first. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["StatusHistory"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404"];
            405: components["responses"]["Error405"];
            422: components["responses"]["Error422-2"];
            429: components["responses"]["Error429"];
            503: components["responses"]["Error503-2"];
            504: components["responses"]["Error504"];
        };
    };
    qr_history: {
        parameters: {
            query?: {
                /** @description How many at most. */
                limit?: number;
            };
            header?: never;
            path: {
                /** @description Id of the instance. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description QR codes that were shown, newest first. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["QrHistory"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404"];
            405: components["responses"]["Error405"];
            422: components["responses"]["Error422-2"];
            429: components["responses"]["Error429"];
            503: components["responses"]["Error503-2"];
            504: components["responses"]["Error504"];
        };
    };
    api_key_history: {
        parameters: {
            query?: {
                /** @description How many at most. */
                limit?: number;
            };
            header?: never;
            path: {
                /** @description Id of the instance. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description API keys that the instance had, newest first. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ApiKeyHistory"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404"];
            405: components["responses"]["Error405"];
            422: components["responses"]["Error422-2"];
            429: components["responses"]["Error429"];
        };
    };
    errors: {
        parameters: {
            query?: {
                /** @description How many at most. */
                limit?: number;
            };
            header?: never;
            path: {
                /** @description Id of the instance. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description What went wrong since the errors were last cleared, newest first. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorHistory"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404"];
            405: components["responses"]["Error405"];
            422: components["responses"]["Error422-2"];
            429: components["responses"]["Error429"];
            503: components["responses"]["Error503-2"];
            504: components["responses"]["Error504"];
        };
    };
    clear_errors: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and body happen once and give the same answer for 24 hours. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description Id of the instance. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description What became of a change, and where the instance stands now (null: it was deleted meanwhile). */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Changed"];
                };
            };
            /** @description What became of a change, and where the instance stands now (null: it was deleted meanwhile). */
            202: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Changed"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404"];
            405: components["responses"]["Error405"];
            409: components["responses"]["Error409-2"];
            413: components["responses"]["Error413"];
            422: components["responses"]["Error422-2"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503-2"];
            504: components["responses"]["Error504"];
        };
    };
    activity_stats: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id of the instance. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description How an instance does. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ActivityAnswer"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404"];
            405: components["responses"]["Error405"];
            429: components["responses"]["Error429"];
        };
    };
    credentials: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id of the instance. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description How to call the instance's own port. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Credentials"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404"];
            405: components["responses"]["Error405"];
            409: components["responses"]["Error409-4"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503-2"];
            504: components["responses"]["Error504"];
        };
    };
    current_api_key: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id of the instance. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The API key and how it was used. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CurrentApiKey"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404"];
            405: components["responses"]["Error405"];
            409: components["responses"]["Error409-4"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503-2"];
            504: components["responses"]["Error504"];
        };
    };
    rotate_api_key: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and body happen once and give the same answer for 24 hours. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description Id of the instance. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The API key and how it was used. */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CurrentApiKey"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404"];
            405: components["responses"]["Error405"];
            409: components["responses"]["Error409-3"];
            413: components["responses"]["Error413"];
            422: components["responses"]["Error422-2"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503-2"];
            504: components["responses"]["Error504"];
        };
    };
    send: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and body happen once and give the same answer for 24 hours. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description Id of the instance. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SendBody"];
            };
        };
        responses: {
            /** @description The messenger took the message. `id` is ours, `messageId` the messenger's. */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Sent"];
                };
            };
            /** @description The message is stored and not sent yet; an event with this `id` follows. */
            202: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Queued"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404"];
            405: components["responses"]["Error405"];
            409: components["responses"]["Error409-3"];
            413: components["responses"]["Error413"];
            422: components["responses"]["Error422-3"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            502: components["responses"]["Error502"];
            503: components["responses"]["Error503-2"];
            504: components["responses"]["Error504"];
        };
    };
    upload: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id of the instance. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/octet-stream": string;
            };
        };
        responses: {
            /** @description A file that can be sent now, as `media.upload`. The same content always has the same id. */
            201: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Uploaded"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404"];
            405: components["responses"]["Error405"];
            413: components["responses"]["Error413"];
            422: components["responses"]["Error422-2"];
            429: components["responses"]["Error429"];
            503: components["responses"]["Error503-2"];
            504: components["responses"]["Error504"];
        };
    };
    test_webhook: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and body happen once and give the same answer for 24 hours. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description Id of the instance. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description What the webhook answered to a test message. `delivered` says whether with a status of success. */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WebhookTest"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404"];
            405: components["responses"]["Error405"];
            409: components["responses"]["Error409-3"];
            413: components["responses"]["Error413"];
            422: components["responses"]["Error422-2"];
            429: components["responses"]["Error429"];
            503: components["responses"]["Error503-2"];
            504: components["responses"]["Error504"];
        };
    };
    deliveries: {
        parameters: {
            query?: {
                /** @description Only what stands here. */
                status?: components["schemas"]["DeliveryStatus"];
                /** @description How many at most. */
                limit?: number;
                /** @description How many to leave out at the beginning. */
                offset?: number;
            };
            header?: never;
            path: {
                /** @description Id of the instance. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Deliveries to the webhook of an instance, the newest first. `total` is how many fit, `counts` how many there are by status. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DeliveryList"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404"];
            405: components["responses"]["Error405"];
            422: components["responses"]["Error422-2"];
            429: components["responses"]["Error429"];
            503: components["responses"]["Error503-2"];
            504: components["responses"]["Error504"];
        };
    };
    delivery: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id of the instance. */
                id: string;
                /** @description Id of the delivery. */
                delivery_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description One delivery, and the body that is sent. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DeliveryAnswer"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404"];
            405: components["responses"]["Error405"];
            429: components["responses"]["Error429"];
            503: components["responses"]["Error503-2"];
            504: components["responses"]["Error504"];
        };
    };
    redeliver_failed: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and body happen once and give the same answer for 24 hours. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description Id of the instance. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description How many deliveries wait once more, from their first try on. */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Redelivered"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404"];
            405: components["responses"]["Error405"];
            409: components["responses"]["Error409-2"];
            413: components["responses"]["Error413"];
            422: components["responses"]["Error422-2"];
            429: components["responses"]["Error429"];
            503: components["responses"]["Error503-2"];
            504: components["responses"]["Error504"];
        };
    };
    redeliver: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and body happen once and give the same answer for 24 hours. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description Id of the instance. */
                id: string;
                /** @description Id of the delivery. */
                delivery_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description How many deliveries wait once more, from their first try on. */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Redelivered"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404"];
            405: components["responses"]["Error405"];
            409: components["responses"]["Error409-2"];
            413: components["responses"]["Error413"];
            422: components["responses"]["Error422-2"];
            429: components["responses"]["Error429"];
            503: components["responses"]["Error503-2"];
            504: components["responses"]["Error504"];
        };
    };
    webhook_secret: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id of the instance. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description What signs the webhook of an instance; receivers verify with it. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WebhookSecret"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404"];
            405: components["responses"]["Error405"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503-2"];
            504: components["responses"]["Error504"];
        };
    };
    rotate_webhook_secret: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and body happen once and give the same answer for 24 hours. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description Id of the instance. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description What signs the webhook of an instance; receivers verify with it. */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WebhookSecret"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404"];
            405: components["responses"]["Error405"];
            409: components["responses"]["Error409-2"];
            413: components["responses"]["Error413"];
            422: components["responses"]["Error422-2"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503-2"];
            504: components["responses"]["Error504"];
        };
    };
    providers: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Every provider that there is; one without workers cannot start instances now. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProvidersAnswer"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            405: components["responses"]["Error405"];
            429: components["responses"]["Error429"];
        };
    };
    active_providers: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Providers with a live session, and the instances that have one. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ActiveProviders"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            405: components["responses"]["Error405"];
            429: components["responses"]["Error429"];
        };
    };
    provider_instances: {
        parameters: {
            query?: {
                /** @description Only instances of this provider. */
                provider?: components["schemas"]["Provider"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description All instances. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InstancesTotal"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            405: components["responses"]["Error405"];
            422: components["responses"]["Error422-2"];
            429: components["responses"]["Error429"];
        };
    };
    provider_stats: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Counts by provider; every provider is in it. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProviderStatsAnswer"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            405: components["responses"]["Error405"];
            429: components["responses"]["Error429"];
        };
    };
    provider_status: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Provider of the instance. */
                provider: components["schemas"]["Provider"];
                /** @description Id of the instance. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Where one instance stands; `state` in the words of its provider. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProviderStatus"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404"];
            405: components["responses"]["Error405"];
            429: components["responses"]["Error429"];
        };
    };
    send_message: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and body happen once and give the same answer for 24 hours. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description Provider of the instance. */
                provider: components["schemas"]["Provider"];
                /** @description Id of the instance. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SendMessageBody"];
            };
        };
        responses: {
            /** @description The messenger took the message. `id` is ours, `messageId` the messenger's. */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Sent"];
                };
            };
            /** @description The message is stored and not sent yet; an event with this `id` follows. */
            202: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Queued"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404"];
            405: components["responses"]["Error405"];
            409: components["responses"]["Error409-3"];
            413: components["responses"]["Error413"];
            422: components["responses"]["Error422-3"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            502: components["responses"]["Error502"];
            503: components["responses"]["Error503-2"];
            504: components["responses"]["Error504"];
        };
    };
    send_media: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and body happen once and give the same answer for 24 hours. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description Provider of the instance. */
                provider: components["schemas"]["Provider"];
                /** @description Id of the instance. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SendMediaBody"];
            };
        };
        responses: {
            /** @description The messenger took the message. `id` is ours, `messageId` the messenger's. */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Sent"];
                };
            };
            /** @description The message is stored and not sent yet; an event with this `id` follows. */
            202: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Queued"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404"];
            405: components["responses"]["Error405"];
            409: components["responses"]["Error409-3"];
            413: components["responses"]["Error413"];
            422: components["responses"]["Error422-3"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            502: components["responses"]["Error502"];
            503: components["responses"]["Error503-2"];
            504: components["responses"]["Error504"];
        };
    };
    events: {
        parameters: {
            query?: {
                /** @description Only this instance. */
                instance_id?: string;
                /** @description Only what belongs to this user. */
                user_id?: string;
                /** @description Only events of these names, comma-separated, such as `qr_ready,message.sent`. */
                types?: string;
                /** @description Begin after this event, as the header `Last-Event-ID` does; 0 begins with the oldest stored one. */
                last_event_id?: number;
            };
            header?: {
                /** @description Begin after this event; browsers send it by themselves when they connect again. */
                "Last-Event-ID"?: number;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Every status and message event as Server-Sent Events */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": string;
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            405: components["responses"]["Error405"];
            422: components["responses"]["Error422-2"];
            429: components["responses"]["Error429"];
            503: components["responses"]["Error503-4"];
        };
    };
    websocket: {
        parameters: {
            query?: {
                /** @description Only this instance. */
                instance_id?: string;
                /** @description Only what belongs to this user. */
                user_id?: string;
                /** @description Only events of these names, comma-separated, such as `qr_ready,message.sent`. */
                types?: string;
                /** @description Begin after this event, as the header `Last-Event-ID` does; 0 begins with the oldest stored one. */
                last_event_id?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The connection is a WebSocket from now on. */
            101: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            405: components["responses"]["Error405"];
            422: components["responses"]["Error422-2"];
            429: components["responses"]["Error429"];
            503: components["responses"]["Error503-4"];
        };
    };
    session: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Who calls. `needs_token` says whether this gateway wants credentials at all. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Session"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            405: components["responses"]["Error405"];
            429: components["responses"]["Error429"];
        };
    };
    resources: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The machine that the gateway runs on, and the system's processes. `containers` is null without an engine. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ResourcesAnswer"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            405: components["responses"]["Error405"];
            429: components["responses"]["Error429"];
        };
    };
    ports: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Ports that instances have and may get. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PortsAnswer"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            405: components["responses"]["Error405"];
            429: components["responses"]["Error429"];
        };
    };
    performance: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description What the running system measures of itself. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PerformanceAnswer"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            405: components["responses"]["Error405"];
            429: components["responses"]["Error429"];
        };
    };
    resources_health: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Whether something needs attention. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SystemHealthAnswer"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            405: components["responses"]["Error405"];
            429: components["responses"]["Error429"];
        };
    };
    workers: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description All workers that live. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WorkersAnswer"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            405: components["responses"]["Error405"];
            429: components["responses"]["Error429"];
        };
    };
    drain_worker: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and body happen once and give the same answer for 24 hours. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description Name of the worker, as `workers` shows it. */
                worker: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Where a worker stands now. */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WorkerAnswer"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404"];
            405: components["responses"]["Error405"];
            409: components["responses"]["Error409-5"];
            413: components["responses"]["Error413"];
            422: components["responses"]["Error422-3"];
            429: components["responses"]["Error429"];
            503: components["responses"]["Error503-2"];
            504: components["responses"]["Error504"];
        };
    };
    undrain_worker: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name of the worker, as `workers` shows it. */
                worker: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Where a worker stands now. */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WorkerAnswer"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404"];
            405: components["responses"]["Error405"];
            429: components["responses"]["Error429"];
            503: components["responses"]["Error503-2"];
            504: components["responses"]["Error504"];
        };
    };
    resources_instances: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description All instances. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InstancesTotal"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            405: components["responses"]["Error405"];
            429: components["responses"]["Error429"];
        };
    };
    tokens: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description All access tokens, oldest first. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TokenList"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            405: components["responses"]["Error405"];
            429: components["responses"]["Error429"];
        };
    };
    create_token: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and body happen once and give the same answer for 24 hours. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CreateTokenBody"];
            };
        };
        responses: {
            /** @description A new access token; it is shown this once. */
            201: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TokenCreated"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            405: components["responses"]["Error405"];
            409: components["responses"]["Error409-2"];
            413: components["responses"]["Error413"];
            422: components["responses"]["Error422-2"];
            429: components["responses"]["Error429"];
            503: components["responses"]["Error503-2"];
            504: components["responses"]["Error504"];
        };
    };
    revoke_token: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id of the access token. */
                token_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A success that is told in a sentence. */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MessageAnswer"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404"];
            405: components["responses"]["Error405"];
            429: components["responses"]["Error429"];
            503: components["responses"]["Error503-2"];
            504: components["responses"]["Error504"];
        };
    };
    audit: {
        parameters: {
            query?: {
                /** @description How many at most. */
                limit?: number;
                /** @description Only this instance. */
                instance_id?: string;
                /** @description How far back. */
                hours?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Changes, newest first. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AuditAnswer"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            405: components["responses"]["Error405"];
            422: components["responses"]["Error422-2"];
            429: components["responses"]["Error429"];
            503: components["responses"]["Error503-2"];
            504: components["responses"]["Error504"];
        };
    };
    metrics: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Metrics of the gateway for Prometheus */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "text/plain": string;
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            405: components["responses"]["Error405"];
            429: components["responses"]["Error429"];
        };
    };
    service_metrics: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name of the service. */
                service: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Metrics of another service for Prometheus */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "text/plain": string;
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404"];
            405: components["responses"]["Error405"];
            429: components["responses"]["Error429"];
            503: components["responses"]["Error503-2"];
            504: components["responses"]["Error504"];
        };
    };
    openapi: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description This document */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                };
            };
            403: components["responses"]["Error403"];
            405: components["responses"]["Error405"];
        };
    };
    asyncapi: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The messages of the bus */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                };
            };
            403: components["responses"]["Error403"];
            405: components["responses"]["Error405"];
        };
    };
    docs: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description This document as a page */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/html": string;
                };
            };
            403: components["responses"]["Error403"];
            405: components["responses"]["Error405"];
        };
    };
    docs_events: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The messages of the bus as a page */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/html": string;
                };
            };
            403: components["responses"]["Error403"];
            405: components["responses"]["Error405"];
        };
    };
    port_health: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Port of the instance, as `port_api` shows it. */
                port: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The instance's port answers. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PortHealth"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404-3"];
            405: components["responses"]["Error405"];
            429: components["responses"]["Error429"];
            503: components["responses"]["Error503-5"];
            504: components["responses"]["Error504"];
        };
    };
    port_status: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Port of the instance, as `port_api` shows it. */
                port: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Where the instance stands, and since when; `queue` is null while the bus is away. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PortStatus"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404-3"];
            405: components["responses"]["Error405"];
            429: components["responses"]["Error429"];
            503: components["responses"]["Error503-5"];
            504: components["responses"]["Error504"];
        };
    };
    port_provider_health: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Port of the instance, as `port_api` shows it. */
                port: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The instance's port answers. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PortHealth"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404-3"];
            405: components["responses"]["Error405"];
            429: components["responses"]["Error429"];
            503: components["responses"]["Error503-5"];
            504: components["responses"]["Error504"];
        };
    };
    port_provider_status: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Port of the instance, as `port_api` shows it. */
                port: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Where the instance stands, and since when; `queue` is null while the bus is away. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PortStatus"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404-3"];
            405: components["responses"]["Error405"];
            429: components["responses"]["Error429"];
            503: components["responses"]["Error503-5"];
            504: components["responses"]["Error504"];
        };
    };
    port_account: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Port of the instance, as `port_api` shows it. */
                port: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Who the account is. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AccountInfo"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404-3"];
            405: components["responses"]["Error405"];
            409: components["responses"]["Error409-4"];
            429: components["responses"]["Error429"];
            503: components["responses"]["Error503-5"];
            504: components["responses"]["Error504"];
        };
    };
    port_me: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Port of the instance, as `port_api` shows it. */
                port: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Who the account is. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AccountInfo"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404-3"];
            405: components["responses"]["Error405"];
            409: components["responses"]["Error409-4"];
            429: components["responses"]["Error429"];
            503: components["responses"]["Error503-5"];
            504: components["responses"]["Error504"];
        };
    };
    port_send: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and body happen once and give the same answer for 24 hours. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description Port of the instance, as `port_api` shows it. */
                port: number;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SendBody"];
            };
        };
        responses: {
            /** @description The messenger took the message. `id` is ours, `messageId` the messenger's. */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Sent"];
                };
            };
            /** @description The message is stored and not sent yet; an event with this `id` follows. */
            202: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Queued"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404-3"];
            405: components["responses"]["Error405"];
            409: components["responses"]["Error409-3"];
            413: components["responses"]["Error413"];
            422: components["responses"]["Error422-3"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            502: components["responses"]["Error502"];
            503: components["responses"]["Error503-3"];
            504: components["responses"]["Error504"];
        };
    };
    telegram_send: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and body happen once and give the same answer for 24 hours. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description Port of the instance, as `port_api` shows it. */
                port: number;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["TelegramSendBody"];
            };
        };
        responses: {
            /** @description Telegram took the message. `id` is ours. */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TelegramSent"];
                };
            };
            /** @description The message is stored and not sent yet; an event with this `id` follows. */
            202: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Queued"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404-3"];
            405: components["responses"]["Error405"];
            409: components["responses"]["Error409-3"];
            413: components["responses"]["Error413"];
            422: components["responses"]["Error422-3"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            502: components["responses"]["Error502"];
            503: components["responses"]["Error503-3"];
            504: components["responses"]["Error504"];
        };
    };
    telegram_send_message: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and body happen once and give the same answer for 24 hours. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description Port of the instance, as `port_api` shows it. */
                port: number;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["TelegramSendBody"];
            };
        };
        responses: {
            /** @description Telegram took the message. `id` is ours. */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TelegramSent"];
                };
            };
            /** @description The message is stored and not sent yet; an event with this `id` follows. */
            202: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Queued"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404-3"];
            405: components["responses"]["Error405"];
            409: components["responses"]["Error409-3"];
            413: components["responses"]["Error413"];
            422: components["responses"]["Error422-3"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            502: components["responses"]["Error502"];
            503: components["responses"]["Error503-3"];
            504: components["responses"]["Error504"];
        };
    };
    telegram_send_media: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and body happen once and give the same answer for 24 hours. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description Port of the instance, as `port_api` shows it. */
                port: number;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["TelegramMediaBody"];
            };
        };
        responses: {
            /** @description Telegram took the message. `id` is ours. */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TelegramSent"];
                };
            };
            /** @description The message is stored and not sent yet; an event with this `id` follows. */
            202: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Queued"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404-3"];
            405: components["responses"]["Error405"];
            409: components["responses"]["Error409-3"];
            413: components["responses"]["Error413"];
            422: components["responses"]["Error422-3"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            502: components["responses"]["Error502"];
            503: components["responses"]["Error503-3"];
            504: components["responses"]["Error504"];
        };
    };
    port_bulks: {
        parameters: {
            query?: {
                /** @description Only what stands here. */
                status?: components["schemas"]["BulkItemStatus"];
                /** @description How many at most. */
                limit?: number;
                /** @description How many to leave out at the beginning. */
                offset?: number;
            };
            header?: never;
            path: {
                /** @description Port of the instance, as `port_api` shows it. */
                port: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Bulk messages, the newest first. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BulkList"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404-3"];
            405: components["responses"]["Error405"];
            422: components["responses"]["Error422-2"];
            429: components["responses"]["Error429"];
            503: components["responses"]["Error503-3"];
            504: components["responses"]["Error504"];
        };
    };
    port_bulk: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and body happen once and give the same answer for 24 hours. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description Port of the instance, as `port_api` shows it. */
                port: number;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["BulkBody"];
            };
        };
        responses: {
            /** @description A bulk message. */
            201: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BulkAnswer"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404-3"];
            405: components["responses"]["Error405"];
            409: components["responses"]["Error409-2"];
            413: components["responses"]["Error413"];
            422: components["responses"]["Error422-3"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503-3"];
            504: components["responses"]["Error504"];
        };
    };
    port_bulk_details: {
        parameters: {
            query?: {
                /** @description Only what stands here. */
                status?: components["schemas"]["BulkItemStatus"];
                /** @description How many at most. */
                limit?: number;
                /** @description How many to leave out at the beginning. */
                offset?: number;
            };
            header?: never;
            path: {
                /** @description Port of the instance, as `port_api` shows it. */
                port: number;
                /** @description Id of the bulk message. */
                bulk_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A bulk message and its recipients, in their order; `total` is how many fit. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BulkDetails"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404-3"];
            405: components["responses"]["Error405"];
            422: components["responses"]["Error422-2"];
            429: components["responses"]["Error429"];
            503: components["responses"]["Error503-3"];
            504: components["responses"]["Error504"];
        };
    };
    port_cancel_bulk: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and body happen once and give the same answer for 24 hours. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description Port of the instance, as `port_api` shows it. */
                port: number;
                /** @description Id of the bulk message. */
                bulk_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A bulk message. */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BulkAnswer"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404-3"];
            405: components["responses"]["Error405"];
            409: components["responses"]["Error409-2"];
            413: components["responses"]["Error413"];
            422: components["responses"]["Error422-2"];
            429: components["responses"]["Error429"];
            503: components["responses"]["Error503-3"];
            504: components["responses"]["Error504"];
        };
    };
    port_upload: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Port of the instance, as `port_api` shows it. */
                port: number;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/octet-stream": string;
            };
        };
        responses: {
            /** @description A file that can be sent now, as `media.upload`. The same content always has the same id. */
            201: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Uploaded"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404-3"];
            405: components["responses"]["Error405"];
            413: components["responses"]["Error413"];
            422: components["responses"]["Error422-2"];
            429: components["responses"]["Error429"];
            503: components["responses"]["Error503-3"];
            504: components["responses"]["Error504"];
        };
    };
    port_media: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Port of the instance, as `port_api` shows it. */
                port: number;
                /** @description Id of the chat, as `chats` shows it. */
                chat: string;
                /** @description Id of the message at the messenger. */
                message: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The file of a message that came in */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": string;
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404-3"];
            405: components["responses"]["Error405"];
            409: components["responses"]["Error409-4"];
            429: components["responses"]["Error429"];
            502: components["responses"]["Error502-2"];
            503: components["responses"]["Error503-3"];
            504: components["responses"]["Error504"];
        };
    };
    port_chats: {
        parameters: {
            query?: {
                /** @description How many at most. */
                limit?: number;
                /** @description How many to leave out at the beginning. */
                offset?: number;
                /** @description Only what has this text in it: instances in id, name, user or account, chats and people in their name, messages in their text. */
                search?: string;
            };
            header?: never;
            path: {
                /** @description Port of the instance, as `port_api` shows it. */
                port: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Chats, the latest first. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ChatList"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404-3"];
            405: components["responses"]["Error405"];
            422: components["responses"]["Error422-2"];
            429: components["responses"]["Error429"];
            503: components["responses"]["Error503-3"];
            504: components["responses"]["Error504"];
        };
    };
    port_contacts: {
        parameters: {
            query?: {
                /** @description How many at most. */
                limit?: number;
                /** @description How many to leave out at the beginning. */
                offset?: number;
                /** @description Only what has this text in it: instances in id, name, user or account, chats and people in their name, messages in their text. */
                search?: string;
            };
            header?: never;
            path: {
                /** @description Port of the instance, as `port_api` shows it. */
                port: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Contacts, the latest first. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ContactList"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404-3"];
            405: components["responses"]["Error405"];
            422: components["responses"]["Error422-2"];
            429: components["responses"]["Error429"];
            503: components["responses"]["Error503-3"];
            504: components["responses"]["Error504"];
        };
    };
    port_messages: {
        parameters: {
            query?: {
                /** @description How many at most. */
                limit?: number;
                /** @description How many to leave out at the beginning. */
                offset?: number;
                /** @description Only what has this text in it: instances in id, name, user or account, chats and people in their name, messages in their text. */
                search?: string;
            };
            header?: never;
            path: {
                /** @description Port of the instance, as `port_api` shows it. */
                port: number;
                /** @description Id of the chat, as `chats` shows it. */
                chat: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The newest messages of a chat, newest first. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MessageList"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404-3"];
            405: components["responses"]["Error405"];
            422: components["responses"]["Error422-2"];
            429: components["responses"]["Error429"];
            503: components["responses"]["Error503-3"];
            504: components["responses"]["Error504"];
        };
    };
    port_stored: {
        parameters: {
            query?: {
                /** @description How many at most. */
                limit?: number;
                /** @description How many to leave out at the beginning. */
                offset?: number;
                /** @description Only what has this text in it: instances in id, name, user or account, chats and people in their name, messages in their text. */
                search?: string;
                /** @description Only messages of this chat. Also accepted as `chat_id`. */
                chatId?: string;
                /** @description Only messages of groups, or only others. Also accepted as `is_group`. */
                isGroup?: boolean;
            };
            header?: never;
            path: {
                /** @description Port of the instance, as `port_api` shows it. */
                port: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of stored messages, newest first. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["StoredMessages"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404-3"];
            405: components["responses"]["Error405"];
            422: components["responses"]["Error422-2"];
            429: components["responses"]["Error429"];
            503: components["responses"]["Error503-3"];
            504: components["responses"]["Error504"];
        };
    };
    port_stored_stats: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Port of the instance, as `port_api` shows it. */
                port: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description What is stored. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["StoredStatsAnswer"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404-3"];
            405: components["responses"]["Error405"];
            429: components["responses"]["Error429"];
            503: components["responses"]["Error503-3"];
            504: components["responses"]["Error504"];
        };
    };
    port_groups: {
        parameters: {
            query?: {
                /** @description How many at most. */
                limit?: number;
                /** @description How many to leave out at the beginning. */
                offset?: number;
                /** @description Only what has this text in it: instances in id, name, user or account, chats and people in their name, messages in their text. */
                search?: string;
            };
            header?: never;
            path: {
                /** @description Port of the instance, as `port_api` shows it. */
                port: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Groups, the latest first. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["GroupList"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404-3"];
            405: components["responses"]["Error405"];
            422: components["responses"]["Error422-2"];
            429: components["responses"]["Error429"];
            503: components["responses"]["Error503-3"];
            504: components["responses"]["Error504"];
        };
    };
    port_create_group: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and body happen once and give the same answer for 24 hours. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description Port of the instance, as `port_api` shows it. */
                port: number;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CreateGroupBody"];
            };
        };
        responses: {
            /** @description A group. */
            201: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["GroupAnswer"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404-3"];
            405: components["responses"]["Error405"];
            409: components["responses"]["Error409-3"];
            413: components["responses"]["Error413"];
            422: components["responses"]["Error422-3"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            502: components["responses"]["Error502-3"];
            503: components["responses"]["Error503-3"];
            504: components["responses"]["Error504"];
        };
    };
    port_group: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Port of the instance, as `port_api` shows it. */
                port: number;
                /** @description Id of the group, as `groups` shows it. */
                group: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A group. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["GroupAnswer"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404-3"];
            405: components["responses"]["Error405"];
            409: components["responses"]["Error409-4"];
            422: components["responses"]["Error422-3"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            502: components["responses"]["Error502-3"];
            503: components["responses"]["Error503-5"];
            504: components["responses"]["Error504"];
        };
    };
    port_participants: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and body happen once and give the same answer for 24 hours. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description Port of the instance, as `port_api` shows it. */
                port: number;
                /** @description Id of the group, as `groups` shows it. */
                group: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ParticipantsBody"];
            };
        };
        responses: {
            /** @description Those who were named, with the problem where nothing was done. */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ParticipantsAnswer"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404-3"];
            405: components["responses"]["Error405"];
            409: components["responses"]["Error409-3"];
            413: components["responses"]["Error413"];
            422: components["responses"]["Error422-3"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            502: components["responses"]["Error502-3"];
            503: components["responses"]["Error503-3"];
            504: components["responses"]["Error504"];
        };
    };
    port_invite: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Port of the instance, as `port_api` shows it. */
                port: number;
                /** @description Id of the group, as `groups` shows it. */
                group: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The link by which anybody can come into the group. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InviteAnswer"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404-3"];
            405: components["responses"]["Error405"];
            409: components["responses"]["Error409-4"];
            422: components["responses"]["Error422-3"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            502: components["responses"]["Error502-3"];
            503: components["responses"]["Error503-5"];
            504: components["responses"]["Error504"];
        };
    };
    port_renew_invite: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and body happen once and give the same answer for 24 hours. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description Port of the instance, as `port_api` shows it. */
                port: number;
                /** @description Id of the group, as `groups` shows it. */
                group: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The link by which anybody can come into the group. */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InviteAnswer"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404-3"];
            405: components["responses"]["Error405"];
            409: components["responses"]["Error409-3"];
            413: components["responses"]["Error413"];
            422: components["responses"]["Error422-3"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            502: components["responses"]["Error502-3"];
            503: components["responses"]["Error503-3"];
            504: components["responses"]["Error504"];
        };
    };
    port_webhook: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Port of the instance, as `port_api` shows it. */
                port: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The webhook of the instance; null while there is none. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WebhookAnswer"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404-3"];
            405: components["responses"]["Error405"];
            429: components["responses"]["Error429"];
            503: components["responses"]["Error503-3"];
            504: components["responses"]["Error504"];
        };
    };
    port_set_webhook: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and body happen once and give the same answer for 24 hours. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description Port of the instance, as `port_api` shows it. */
                port: number;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["WebhookBody"];
            };
        };
        responses: {
            /** @description The webhook of the instance; null while there is none. */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WebhookAnswer"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404-3"];
            405: components["responses"]["Error405"];
            409: components["responses"]["Error409-2"];
            413: components["responses"]["Error413"];
            422: components["responses"]["Error422-2"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503-3"];
            504: components["responses"]["Error504"];
        };
    };
    whatsapp_send: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and body happen once and give the same answer for 24 hours. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description Port of the instance, as `port_api` shows it. */
                port: number;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["WhatsAppSendBody"];
            };
        };
        responses: {
            /** @description WhatsApp took the message. `id` is ours. */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WhatsAppSent"];
                };
            };
            /** @description The message is stored and not sent yet; an event with this `id` follows. */
            202: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Queued"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403-2"];
            404: components["responses"]["Error404-3"];
            405: components["responses"]["Error405"];
            409: components["responses"]["Error409-3"];
            413: components["responses"]["Error413"];
            422: components["responses"]["Error422-3"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            502: components["responses"]["Error502"];
            503: components["responses"]["Error503-3"];
            504: components["responses"]["Error504"];
        };
    };
}
