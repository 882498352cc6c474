-- What the functions may do: api adds records and reads them, replay only adds them; whoever migrates owns them. Roles
-- belong to the whole server, so another of its databases may have made them, even at this moment. Passwords are set
-- where the roles are used.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['diabetes_api', 'diabetes_replay'] LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I LOGIN', name);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
    END LOOP;
END
$$;

GRANT INSERT, SELECT ON predictions, idempotency_keys TO diabetes_api;
GRANT INSERT ON predictions TO diabetes_replay;

-- Here, because a SET by the client would pin its connection in RDS Proxy. The client itself waits no longer.
ALTER ROLE diabetes_api SET statement_timeout = '2s';
ALTER ROLE diabetes_api SET idle_in_transaction_session_timeout = '5s';
ALTER ROLE diabetes_replay SET statement_timeout = '2s';
ALTER ROLE diabetes_replay SET idle_in_transaction_session_timeout = '5s';
