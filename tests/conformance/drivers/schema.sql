-- What every client finds. Run as superuser before each pass, directly.
DROP SCHEMA IF EXISTS public, other CASCADE;
CREATE SCHEMA public AUTHORIZATION driver;
CREATE SCHEMA other AUTHORIZATION driver;
SET ROLE driver;

CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TABLE items (id int PRIMARY KEY, name text NOT NULL,
  CONSTRAINT items_name_key UNIQUE (name));
INSERT INTO items VALUES (1, 'one');
CREATE TABLE numbers (n int NOT NULL, label text);
CREATE TABLE marker (place text);
INSERT INTO marker VALUES ('public');
CREATE TABLE other.marker (place text);
INSERT INTO other.marker VALUES ('other');
CREATE FUNCTION say(what text) RETURNS int LANGUAGE plpgsql AS
$$BEGIN RAISE NOTICE 'heard %', what; RETURN 1; END$$;
